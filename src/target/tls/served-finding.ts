import type { Identifier, Leaf } from "../../certificate/index.ts";
import type { ServedCertificate, ServedFinding } from "../../reconcile/index.ts";
import type { Handshake } from "./handshake.ts";

/** One name of a certificate, and what the target showed for it. */
export type Look = { readonly identifier: Identifier; readonly handshake: Handshake };

/** A certificate file that the server's configuration names, and what is in it; undefined where that can't be read. */
export type ConfiguredFile = { readonly path: string; readonly fingerprint?: string | undefined };

/** What a finding is made of. */
export type FindingFacts = {
  readonly target: string;
  readonly service: string;
  /** Where it was looked for: `172.18.0.3:443`. */
  readonly where: string;
  readonly certificate: ServedCertificate;
  /** Only names that the certificate was not presented for; at least one. */
  readonly bad: readonly [Look, ...Look[]];
  readonly now: Date;
  /** Undefined or empty where it is not known. */
  readonly configured: readonly ConfiguredFile[] | undefined;
};

/** Whether a look shows this very certificate. */
export function isServed(look: Look, certificate: ServedCertificate): boolean {
  return look.handshake.kind === "presented" && look.handshake.leaf.fingerprint === certificate.fingerprint;
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
        remedy: `Check in the configuration of ${facts.service} that the port ${facts.where.replace(/^.*:/, "")} speaks TLS and that a server block has this name.`,
      };
    case "presented":
      return { kind: "not-served", ...explainOther(facts, handshake) };
  }
}

type Words = { readonly message: string; readonly remedy: string; readonly isKept?: boolean };
type NoConnection = Extract<Handshake, { kind: "no-connection" }>;
type Presented = Extract<Handshake, { kind: "presented" }>;

function explainNoConnection({ target, service, where }: FindingFacts, { because, words }: NoConnection): Words {
  switch (because) {
    case "refused":
      return {
        message: `nothing listens on ${where} in ${target}: HTTPS is off there, or on another port`,
        remedy: `Leave NGINX_HTTPS_ENABLED empty or set it to true and run docker compose up -d ${service}; where TLS is on another port, set NGINX_SSL_PORT or the label cert-sidecar.port.`,
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
  const liveFolder = `/live/${certificate.lineage}/`;
  const files = facts.configured ?? [];
  const isOurs = ({ path }: ConfiguredFile) => path.includes(liveFolder);
  const holders = files.filter(({ fingerprint }) => fingerprint === certificate.fingerprint);
  if (files.length > 0 && !files.some(isOurs)) {
    const [kept] = holders;
    if (kept)
      return {
        message: `${message}, though ${kept.path} holds the new one: nginx goes on with what it had read from a file of the same modification time and inode`,
        remedy: `Run touch on ${kept.path} and its key where they are stored, then docker compose exec ${service} nginx -s reload; from now on write new files beside the old ones and rename them.`,
      };
    return {
      message: `${message}: its configuration reads ${listOf(files.map(({ path }) => path))}, not /etc/letsencrypt${liveFolder}`,
      remedy: `Run docker compose up -d --force-recreate ${service}, which makes it choose the path anew; if it stays, check that it mounts the same /etc/letsencrypt as this container.`,
    };
  }
  if (isDefaultServers(facts, presented)) {
    return {
      message: `${message}, whose clients name no server (RFC 6066 §3) and get its default one`,
      remedy: `Put all IP addresses into one certificate, and let no other server of ${service} be the default_server of its TLS port.`,
    };
  }
  return {
    message,
    ...(holders.some(isOurs) && { isKept: true }),
    remedy: `Wait for the next deploy or run update-cert; if it stays, check that ${service} mounts the same /etc/letsencrypt as this container and reads /etc/letsencrypt${liveFolder}.`,
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

function listOf(values: readonly string[]): string {
  const [first3, rest] = [values.slice(0, 3), values.length - 3];
  return first3.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
