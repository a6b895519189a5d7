import type { Identifier, Leaf } from "../../certificate/index.ts";
import type { ServedCertificate, ServedFinding } from "../../reconcile/index.ts";
import type { Handshake } from "./handshake.ts";

/** One name of a certificate, and what the target showed for it. */
export type NameFinding = { readonly identifier: Identifier; readonly handshake: Handshake };

/** What a kind of server has to say of itself: what to do where it serves something else, by what is seen. */
export type ServerWords = {
  readonly nothingListens: string;
  readonly noCertificate: string;
  /** For an IP address, whose clients name no server, it presents another server's. */
  readonly isDefault: string;
  /** What more it knows of why it presents another one: the message's end and the remedy, or that it goes on with an older text. */
  explain(
    certificate: ServedCertificate,
  ): { readonly because: string; readonly remedy: string } | { readonly isKept: true } | undefined;
};

/** What a finding is made of. */
export type FindingFacts = {
  readonly target: string;
  readonly service: string;
  /** Where it was asked for: `172.18.0.3:443`. */
  readonly where: string;
  readonly certificate: ServedCertificate;
  /** Only names that the certificate was not presented for; at least one. */
  readonly bad: readonly [NameFinding, ...NameFinding[]];
  readonly now: Date;
  readonly words: ServerWords;
};

/** Whether this very certificate was presented. */
export function isServed({ handshake }: NameFinding, certificate: ServedCertificate): boolean {
  return handshake.kind === "presented" && handshake.leaf.fingerprint === certificate.fingerprint;
}

/** Says in words for people what is served instead, and what to do. */
export function explainNotServed(facts: FindingFacts): ServedFinding {
  const [{ handshake }] = facts.bad;
  switch (handshake.kind) {
    case "no-connection":
      return { kind: "not-served", ...explainNoConnection(facts, handshake) };
    case "no-certificate":
      return {
        kind: "not-served",
        message: `the TLS handshake with ${facts.target} (${facts.where}) for ${names(facts)} failed: ${handshake.words}`,
        remedy: facts.words.noCertificate,
      };
    case "presented":
      return { kind: "not-served", ...explainOther(facts, handshake) };
  }
}

type Words = { readonly message: string; readonly remedy: string; readonly isKept?: boolean };
type NoConnection = Extract<Handshake, { kind: "no-connection" }>;
type Presented = Extract<Handshake, { kind: "presented" }>;

function explainNoConnection(
  { target, service, where, words: own }: FindingFacts,
  { because, words }: NoConnection,
): Words {
  switch (because) {
    case "refused":
      return {
        message: `nothing listens on ${where} in ${target}: HTTPS is off there, or on another port`,
        remedy: own.nothingListens,
      };
    case "timeout":
      return {
        message: `${target} did not complete a TLS handshake on ${where}: ${words}`,
        remedy: `Read docker compose logs ${service}, and check that no firewall stands between the containers.`,
      };
    case "network":
      return {
        message: `${target} can't be reached on ${where}: ${words}`,
        remedy: `Check with docker network inspect that this container and ${target} share a network.`,
      };
  }
}

function explainOther(facts: FindingFacts, presented: Presented): Words {
  const { target, service, certificate } = facts;
  const message = `${target} presents ${describeCertificate(presented, facts.now)} for ${names(facts)}`;
  const known = facts.words.explain(certificate);
  if (known && "because" in known) return { message: `${message}${known.because}`, remedy: known.remedy };
  if (isDefaultServers(facts, presented)) {
    return {
      message: `${message}, whose clients name no server (RFC 6066 §3) and get its default one`,
      remedy: facts.words.isDefault,
    };
  }
  return {
    message,
    ...known,
    remedy: `Wait for the next deploy or run update-cert; if it stays, check that ${service} mounts the same /etc/letsencrypt as this container and reads /etc/letsencrypt/live/${certificate.lineage}/.`,
  };
}

// Another server's certificate for an address; not an older version of ours.
function isDefaultServers({ bad: [{ identifier }] }: FindingFacts, presented: Presented): boolean {
  if (identifier.type !== "ip" || isPlaceholder(presented)) return false;
  return !presented.leaf.identifiers.some(({ value }) => value === identifier.value);
}

function isPlaceholder({ isSelfSigned, subject }: Presented): boolean {
  return isSelfSigned && /placeholder/i.test(subject);
}

function describeCertificate(presented: Presented, now: Date): string {
  if (isPlaceholder(presented)) return "its self-signed placeholder";
  const { leaf, isSelfSigned, subject } = presented;
  const owner =
    leaf.identifiers.length > 0
      ? listOf(leaf.identifiers.map(({ value }) => value))
      : subject.replaceAll("\n", ", ") || "no name";
  const issuer = isSelfSigned ? "self-signed" : `issued by ${leaf.issuer}`;
  return `another certificate (${owner}, ${issuer}, ${describeEnd(leaf, now)})`;
}

function describeEnd({ validity }: Leaf, now: Date): string {
  return `${validity.notAfter < now ? "expired since" : "valid until"} ${validity.notAfter.toISOString().slice(0, 10)}`;
}

function names({ bad, certificate }: FindingFacts): string {
  const [{ identifier }] = bad;
  const total = certificate.identifiers.length;
  return total > 1
    ? `${identifier.value} (${bad.length} of ${total} names of ${certificate.lineage})`
    : identifier.value;
}

/** Some of many, for people. */
export function listOf(values: readonly string[]): string {
  const [first3, rest] = [values.slice(0, 3), values.length - 3];
  return first3.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
