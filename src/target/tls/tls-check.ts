import { isWildcard, mapLimited, type Identifier } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { ServedCertificate, ServedFinding } from "../../reconcile/index.ts";
import { urlHost } from "../docker/container-address.ts";
import { shakeHands } from "./handshake.ts";
import { explainNotServed, isServed, type NameFinding, type ServerWords } from "./served-finding.ts";

/** What a check works with. */
export type TlsCheckParts = {
  readonly clock: Clock;
  readonly random: () => number;
  /** Time limit of one handshake, in milliseconds. */
  readonly handshakeMs: number;
};

/** Where to check, and for what. */
export type TlsCheckRequest = {
  readonly place: { readonly name: string; readonly service: string; readonly address: string; readonly port: number };
  readonly certificate: ServedCertificate;
  readonly words: ServerWords;
};

const HANDSHAKES_AT_ONCE = 4;

/** Checks by a handshake for each of its names whether a certificate is presented. Throws only the signal's reason. */
export async function checkByTls(
  parts: TlsCheckParts,
  request: TlsCheckRequest,
  signal: AbortSignal,
): Promise<ServedFinding> {
  const { place, certificate, words } = request;
  const findings = await checkNames(parts, request, signal);
  const [first, ...others] = findings.filter((one) => !isServed(one, certificate));
  if (first === undefined) return { kind: "served" };
  const where = `${urlHost(place.address)}:${place.port}`;
  const { name: target, service } = place;
  return explainNotServed({
    target,
    service,
    where,
    certificate,
    words,
    bad: [first, ...others],
    now: parts.clock.now(),
  });
}

async function checkNames(
  { clock, random, handshakeMs: ms }: TlsCheckParts,
  { place: { address, port }, certificate }: TlsCheckRequest,
  signal: AbortSignal,
): Promise<NameFinding[]> {
  let isAnswered = true;
  const findings = await mapLimited(certificate.identifiers, HANDSHAKES_AT_ONCE, async (identifier) => {
    // Nobody answers: it is the same for the other names, and each would cost a time limit.
    if (!isAnswered) return [];
    const serverName = serverNameFor(identifier, random);
    const handshake = await shakeHands({ address, port, serverName, clock, ms }, signal);
    if (handshake.kind === "no-connection") isAnswered = false;
    return [{ identifier, handshake }];
  });
  return findings.flat();
}

// For `*.x` a label that no server has by its name; for an IP address no name at all (RFC 6066 §3).
function serverNameFor(identifier: Identifier, random: () => number): string | undefined {
  if (identifier.type === "ip") return undefined;
  if (!isWildcard(identifier)) return identifier.value;
  return identifier.value.replace("*", `look-${Math.floor(random() * 36 ** 8).toString(36)}`);
}
