import type { Identifier } from "../../certificate/index.ts";
import type { SelfCheckFinding } from "../../ports/index.ts";
import { type Problem, problemName, problemWords } from "./problem.ts";
import { describeValidation, isPrivateOnly, suspectIpv6Address, type ValidationRecord } from "./validation-record.ts";

/** What the CA says went wrong with the proof for one identifier. */
export type FailedProof = {
  readonly identifier: Identifier;
  readonly problem: Problem;
  /** What the CA asked, where it tells. */
  readonly records: readonly ValidationRecord[];
  /** What was seen from here before the CA looked, where that was not the proof. */
  readonly seen?: SelfCheckFinding | undefined;
  /** What we found out ourselves. */
  readonly notes?: readonly string[] | undefined;
  /** False for an authorization that ended otherwise: deactivated, expired, revoked. */
  readonly isTried: boolean;
};

/** A failure's stable code and what to do about it. */
export type Meaning = { readonly code: string; readonly remedy: string };

/** The failure in words: the name, the CA's own words, then what its records and we ourselves know. */
export function describeFailedProof({ identifier, problem, records, seen, notes = [] }: FailedProof): string {
  const own = seen ? [`seen from here before: ${seen.message}`] : [];
  const more = [...describeValidation(records), ...own, ...notes].join("; ");
  return `${identifier.value}: ${problemWords(problem)}${more === "" ? "" : ` (${more})`}`;
}

/**
 * Whether the CA counts this as a name that it could not verify: whatever ended a validation does, what ended without one
 * doesn't.
 */
export function isUnverified({ problem, isTried }: FailedProof): boolean {
  return isTried && !NO_VALIDATION.has(problemName(problem));
}

const NO_VALIDATION = new Set(["rateLimited", "rejectedIdentifier", "unsupportedIdentifier"]);

/** What stands behind a failed proof: by the problem's type, then by what the CA asked, by what was seen from here, by its words. */
export function meaningOfProof({ identifier, problem, records, seen }: FailedProof): Meaning {
  const name = problemName(problem);
  const general = GENERAL.get(name);
  if (general === undefined) return UNKNOWN;
  const remedyOfIp = identifier.type === "ip" ? IP_REMEDIES.get(name) : undefined;
  if (remedyOfIp !== undefined) return { code: general.code, remedy: remedyOfIp };
  const stale = suspectIpv6Address(records);
  if (stale !== undefined && MEETS_A_SERVER.has(name)) return { code: general.code, remedy: staleRemedy(stale) };
  if (name === "connection" && isPrivateOnly(records)) return { code: general.code, remedy: PRIVATE_REMEDY };
  if (seen && general === WRONG_ANSWER) return { code: general.code, remedy: seen.remedy };
  const [, special] = SPECIAL.find(([says]) => says.test(`${name}: ${problem.detail}`)) ?? [];
  return { code: general.code, remedy: special ?? general.remedy };
}

/** What stands behind a validation's problem of which only the document is known; undefined for other problems. */
export function meaningOfValidation(problem: Problem): Meaning | undefined {
  const isKnown = GENERAL.has(problemName(problem));
  const nobody: Identifier = { type: "dns", value: "" };
  return isKnown ? meaningOfProof({ identifier: nobody, problem, records: [], isTried: true }) : undefined;
}

const MEETS_A_SERVER = new Set(["connection", "unauthorized", "incorrectResponse", "tls", "malformed"]);

function staleRemedy(address: string): string {
  return (
    `Correct or remove the AAAA record ${address}, or let this machine answer port 80 at that address too; then run ` +
    "update-cert."
  );
}

const PRIVATE_REMEDY =
  "Point the name's A and AAAA records to an address that the internet reaches, or use a CA inside this network; then " +
  "run update-cert.";

const UNKNOWN: Meaning = {
  code: "ACME_CHALLENGE_FAILED", // The CA could not verify one or more names, for different reasons: read its words.
  remedy: "Read what the CA says of each name and mend it; then run update-cert.",
};

const WRONG_ANSWER: Meaning = {
  // Something else than nginx with our webroot answers port 80; the message says at which address, by which redirects.
  code: "ACME_CHALLENGE_WRONG_ANSWER",
  remedy:
    "Check that the name's A and AAAA records point to this machine and that nginx serves " +
    "/.well-known/acme-challenge/ on port 80 from the webroot it shares with the sidecar; then run update-cert.",
};

const TLS: Meaning = {
  code: "ACME_CHALLENGE_TLS", // The CA was redirected to HTTPS that it can't use. Answer the challenge over plain http.
  remedy: "Answer /.well-known/acme-challenge/ over plain http on port 80, without a redirect; then run update-cert.",
};

// Keyed by the name of the problem's type. A map, since the CA chooses the key: an object would know "constructor" too.
const GENERAL: ReadonlyMap<string, Meaning> = new Map<string, Meaning>(
  Object.entries({
    connection: {
      // The CA can't connect to port 80 at the address in the message: closed port, firewall, stale AAAA record.
      code: "ACME_CHALLENGE_UNREACHABLE",
      remedy:
        "Open port 80 of this machine to the internet (firewall, router, cloud security group) and check that the name's " +
        "A and AAAA records point to it; then run update-cert.",
    },
    dns: {
      // The CA can't resolve a name: no such name, no address, or name servers that fail. The remedy says which.
      code: "ACME_CHALLENGE_DNS",
      remedy:
        "Give the name an A or AAAA record that points to this machine, and wait until it is seen; then run update-cert.",
    },
    caa: {
      // The domain's CAA records don't allow this CA; the message shows them. Allow it there, or remove them.
      code: "ACME_CAA",
      remedy: "Allow this CA in the domain's CAA records, or remove them; then run update-cert.",
    },
    unauthorized: WRONG_ANSWER,
    incorrectResponse: WRONG_ANSWER,
    tls: TLS,
    // Boulder's type for a server that was asked over TLS and speaks http.
    malformed: TLS,
    serverInternal: {
      // The CA could not verify one or more names, for different reasons: read its words.
      code: "ACME_CHALLENGE_FAILED",
      remedy: "Leave the daemon running, the CA failed and it tries again; look at the CA's status page if it lasts.",
    },
  }),
);

// An address has no records that could be wrong.
const IP_REMEDIES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    connection:
      "Open port 80 of this address to the internet (firewall, router, cloud security group); then run update-cert.",
    unauthorized:
      "Check that this machine has the address and that nginx serves /.well-known/acme-challenge/ there on port 80 from the " +
      "webroot it shares with the sidecar; then run update-cert.",
  }),
);

const SERVERS_FAIL = "Have whoever runs the domain's name servers mend them (DNSSEC, too)";

// Boulder's wordings, after the type and a colon, the first that fits. They choose between two remedies, never what the program does.
const SPECIAL: readonly (readonly [says: RegExp, remedy: string])[] = [
  [
    /^connection: .*(?:refused|reset by peer)/is,
    "Start nginx at that address and publish its port 80, or correct the name's A and AAAA records; then run update-cert.",
  ],
  [
    /^connection: .*redirect/is,
    "Answer /.well-known/acme-challenge/ without a redirect, or with one to http port 80 or https port 443 of a name; " +
      "then run update-cert.",
  ],
  [
    /^(?:connection|unauthorized): .*during secondary validation/is,
    "Let all countries reach port 80 (the CA looks from several, and some were turned away or see older DNS records); " +
      "then run update-cert.",
  ],
  [
    /^connection: .*(?:after connect|during read)/is,
    "Find out why the server at that address takes the connection and doesn't answer within seconds (load, proxy, " +
      "firewall); then run update-cert.",
  ],
  [
    /^connection: .*HTTP\/2 over HTTP/is,
    "Speak HTTP/1.1 on port 80 (no http2 in its listen line); then run update-cert.",
  ],
  [
    /^dns: .*looking up CAA/is,
    `${SERVERS_FAIL}: they must answer for CAA too, if only with nothing; then run update-cert.`,
  ],
  [
    /^dns: .*NXDOMAIN/s,
    "Register the name or correct its spelling: the DNS doesn't know it; give it an A or AAAA record that points to " +
      "this machine, then run update-cert.",
  ],
  [
    /^dns: .*(?:SERVFAIL|server failure|DNSSEC|networking error|timed out|REFUSED)/is,
    `${SERVERS_FAIL}: the CA gets no good answer from them; it is tried again by itself.`,
  ],
  [/^dns: .*(?:no valid A{1,4} records|reserved address)/is, PRIVATE_REMEDY],
  [
    /^unauthorized: .*key authorization file/is,
    "Let only this sidecar answer /.well-known/acme-challenge/: another ACME client, an old file or another machine " +
      "answers there; then run update-cert.",
  ],
  [
    /^unauthorized: .*: 40[13]\b/s,
    "Let everybody read /.well-known/acme-challenge/ on port 80 (password, address filter, web application firewall, " +
      "file permissions); then run update-cert.",
  ],
  [
    /^unauthorized: .*: 5\d\d\b/s,
    "Have nginx serve /.well-known/acme-challenge/ on port 80 from the shared webroot instead of passing it on to a " +
      "server that fails; then run update-cert.",
  ],
  [
    /^unauthorized: .*<(?:!doctype|html|head|body|title)/is,
    "Point the name's A and AAAA records to this machine, or take away what answers with a web page there (another " +
      "server, a parking page, a CDN); then run update-cert.",
  ],
];
