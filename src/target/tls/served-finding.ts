import type { Identifier, Leaf } from "../../certificate/index.ts";
import type { ServedFinding } from "../../reconcile/index.ts";
import { urlHost } from "../docker/container-address.ts";
import type { Place, TlsQuestion } from "../kind.ts";
import type { Handshake } from "./handshake.ts";

/** One name of a certificate, and what the target showed for it. */
export type NameFinding = { readonly identifier: Identifier; readonly handshake: Handshake };

/** What a finding is made of. */
export type FindingFacts = TlsQuestion & {
  readonly place: Pick<Place, "name" | "service" | "address" | "port" | "startTls">;
  /** Only names that the certificate was not presented for; at least one. */
  readonly bad: readonly [NameFinding, ...NameFinding[]];
  readonly now: Date;
};

type NotServed = Extract<ServedFinding, { kind: "not-served" }>;
type Presented = Extract<Handshake, { kind: "presented" }>;

/** Says in words for people what is served instead, and what to do. */
export function explainNotServed(facts: FindingFacts): NotServed {
  return { kind: "not-served", ...explain(facts) };
}

function explain(facts: FindingFacts): Omit<NotServed, "kind"> {
  const { place, words, bad } = facts;
  const { name, service } = place;
  const where = `${urlHost(place.address)}:${place.port}`;
  const [{ handshake }] = bad;
  switch (handshake.kind) {
    case "refused":
      return {
        message: `nothing listens on ${where} in ${name}: HTTPS is off there, or on another port`,
        remedy: words.nothingListens,
      };
    case "timeout":
      return {
        message: `${name} did not complete a TLS handshake on ${where}: ${handshake.words}`,
        remedy: `Read docker compose logs ${service}, and check that no firewall stands between the containers.`,
      };
    case "unreachable":
      return {
        message: `${name} can't be reached on ${where}: ${handshake.words}`,
        remedy: `Check with docker network inspect that this container and ${name} share a network.`,
      };
    case "no-certificate":
      return {
        message: `the TLS handshake with ${name} (${where}) for ${names(facts)} failed: ${handshake.words}`,
        remedy: words.noCertificate,
      };
    case "presented":
      return explainOther(facts, handshake);
  }
}

function explainOther(facts: FindingFacts, presented: Presented): Omit<NotServed, "kind"> {
  const { place, certificate, words } = facts;
  const message = `${place.name} presents ${describeCertificate(presented, facts.now)} for ${names(facts)}`;
  const known = words.explain(certificate);
  if (known && "because" in known) return { message: `${message}${known.because}`, remedy: known.remedy };
  if (isDefaultServers(facts, presented)) {
    const because = "whose clients name no server (RFC 6066 §3) and get its default one";
    return { message: `${message}, ${because}`, remedy: words.isDefault };
  }
  const remedy = `Wait for the next deploy or run update-cert; if it stays, check that ${place.service} mounts the same /etc/letsencrypt as this container and reads /etc/letsencrypt/live/${certificate.lineage}/.`;
  return { message, ...known, remedy };
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
  const owner = listOf(leaf.identifiers.map(({ value }) => value)) || subject.replaceAll("\n", ", ") || "no name";
  const issuer = isSelfSigned ? "self-signed" : `issued by ${leaf.issuer}`;
  return `another certificate (${owner}, ${issuer}, ${describeEnd(leaf, now)})`;
}

function describeEnd({ validity }: Leaf, now: Date): string {
  return `${validity.notAfter < now ? "expired since" : "valid until"} ${validity.notAfter.toISOString().slice(0, 10)}`;
}

function names({ bad, certificate }: FindingFacts): string {
  const [{ identifier }] = bad;
  const total = certificate.identifiers.length;
  return identifier.value + (total > 1 ? ` (${bad.length} of ${total} names of ${certificate.lineage})` : "");
}

/** Some of many, for people. */
export function listOf(values: readonly string[]): string {
  const [first3, rest] = [values.slice(0, 3), values.length - 3];
  return first3.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
