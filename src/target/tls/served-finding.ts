import type { Identifier, Leaf } from "../../certificate/index.ts";
import type { ServedFinding } from "../../reconcile/index.ts";
import { urlHost } from "../docker/container-address.ts";
import type { Listener, Place, TlsQuestion } from "../kind.ts";
import type { Handshake, Presented } from "./handshake.ts";

/** One name of a certificate, and what the target showed for it on one of its listeners. */
export type NameFinding = {
  readonly identifier: Identifier;
  readonly listener: Listener;
  readonly handshake: Handshake;
};

/** What a finding is made of. */
export type FindingFacts = Pick<TlsQuestion, "certificate" | "words"> & {
  readonly place: Pick<Place, "name" | "service" | "address" | "port">;
  /** Only names that the certificate was not presented for; at least one. */
  readonly bad: readonly [NameFinding, ...NameFinding[]];
  readonly now: Date;
};

type NotServed = Extract<ServedFinding, { kind: "not-served" }>;

/** Says in words for people what is served instead, and what to do. */
export function explainNotServed(facts: FindingFacts): NotServed {
  return { kind: "not-served", ...explain(facts) };
}

function explain(facts: FindingFacts): Omit<NotServed, "kind"> {
  const { place, words, bad } = facts;
  const { name, service } = place;
  const [{ identifier, listener, handshake }] = bad;
  const where = `${urlHost(listener.address)}:${listener.port}`;
  switch (handshake.kind) {
    case "refused":
      if (!isMain(facts))
        return {
          message: `nothing listens on ${where} in ${name}, though its configuration says so`,
          remedy: `Read in docker compose logs ${service} why it couldn't open that, and run update-cert.`,
        };
      return {
        message: `nothing listens on ${where} in ${name}: HTTPS is off there, or on another port`,
        remedy: words.nothingListens,
      };
    case "timeout":
      return {
        message: `${name} did not complete a TLS handshake on ${where}: ${handshake.words}`,
        remedy:
          words.silent ??
          `Read docker compose logs ${service}, and check that no firewall stands between the containers.`,
      };
    case "unreachable":
      return {
        message: `${name} can't be reached on ${where}: ${handshake.words}`,
        remedy:
          words.unreachable ?? `Check with docker network inspect that this container and ${name} share a network.`,
      };
    case "no-certificate": {
      const failed = { identifier, listener, words: handshake.words };
      const known = handshake.isAlert && words.explainFailure?.(facts.certificate, failed);
      const { because, remedy } = known ?? { because: "", remedy: words.noCertificate };
      const message = `the TLS handshake with ${name} (${where}) for ${names(facts)} failed: ${handshake.words}${because}`;
      return { message, remedy };
    }
    case "presented":
      return explainOther(facts, handshake.read());
  }
}

function explainOther(facts: FindingFacts, presented: Presented): Omit<NotServed, "kind"> {
  const { place, certificate, words } = facts;
  const message = `${place.name} presents ${describeCertificate(presented, facts.now)} for ${names(facts)}${elsewhere(facts)}`;
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
  const [{ identifier, listener }] = bad;
  const total = certificate.identifiers.length;
  const here = bad.filter((one) => one.listener.address === listener.address && one.listener.port === listener.port);
  return identifier.value + (total > 1 ? ` (${here.length} of ${total} names of ${certificate.lineage})` : "");
}

// Said where it isn't where everybody looks.
function elsewhere(facts: FindingFacts): string {
  const [{ listener }] = facts.bad;
  return isMain(facts) ? "" : ` on ${urlHost(listener.address)}:${listener.port}`;
}

function isMain({ place, bad: [{ listener }] }: FindingFacts): boolean {
  return listener.address === place.address && listener.port === place.port;
}

/** Some of many, for people. */
export function listOf(values: readonly string[]): string {
  const [first3, rest] = [values.slice(0, 3), values.length - 3];
  return first3.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
