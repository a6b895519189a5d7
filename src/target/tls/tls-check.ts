import { isWildcard, mapLimited, type Identifier } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { ServedFinding } from "../../reconcile/index.ts";
import { shakeHands } from "./handshake.ts";
import { explainNotServed, type FindingFacts } from "./served-finding.ts";

/** What a check works with. */
export type TlsCheckParts = {
  readonly clock: Clock;
  readonly random: () => number;
  /** Time limit of one handshake, in milliseconds. */
  readonly handshakeMs: number;
};

const HANDSHAKES_AT_ONCE = 4;

/** Checks by a handshake for each of its names whether a certificate is presented. Throws only the signal's reason. */
export async function checkByTls(
  { clock, random, handshakeMs: ms }: TlsCheckParts,
  asked: Omit<FindingFacts, "bad" | "now">,
  signal: AbortSignal,
): Promise<ServedFinding> {
  const { address, port } = asked.place;
  const { certificate } = asked;
  let isAnswered = true;
  const findings = await mapLimited(certificate.identifiers, HANDSHAKES_AT_ONCE, async (identifier) => {
    // Nobody answers: it is the same for the other names, and each would cost a time limit.
    if (!isAnswered) return [];
    const serverName = serverNameFor(identifier, random);
    const handshake = await shakeHands({ address, port, serverName, clock, ms }, signal);
    isAnswered &&= handshake.kind === "presented" || handshake.kind === "no-certificate";
    return [{ identifier, handshake }];
  });
  const [first, ...others] = findings
    .flat()
    .filter(({ handshake: seen }) => seen.kind !== "presented" || seen.leaf.fingerprint !== certificate.fingerprint);
  return first ? explainNotServed({ ...asked, bad: [first, ...others], now: clock.now() }) : { kind: "served" };
}

// For `*.x` a label that no server has by its name; for an IP address no name at all (RFC 6066 §3).
function serverNameFor(identifier: Identifier, random: () => number): string | undefined {
  if (identifier.type === "ip") return undefined;
  if (!isWildcard(identifier)) return identifier.value;
  return identifier.value.replace("*", `probe-${Math.floor(random() * 36 ** 8).toString(36)}`);
}
