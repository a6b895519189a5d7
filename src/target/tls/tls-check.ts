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

// Mail servers let a client wait for their greeting, to find out who can't.
const GREETING_MS = 10_000;

type Asked = Omit<FindingFacts, "bad" | "now">;

/**
 * Makes what checks by a handshake for each of its names whether a certificate is presented. A server that let a handshake come to
 * nothing is asked again only after as long as that took: it is the same for all certificates, and each would cost a time limit.
 * Throws only the signal's reason.
 */
export function createTlsCheck(parts: TlsCheckParts) {
  const silences = new WeakMap<object, { readonly finding: ServedFinding; readonly at: number; readonly ms: number }>();
  const nowMs = () => parts.clock.now().getTime();
  return async (asked: Asked, signal: AbortSignal): Promise<ServedFinding> => {
    const begunAt = nowMs();
    const silence = silences.get(asked.place);
    // By both ends: the clock may be set back.
    if (silence && begunAt >= silence.at && begunAt < silence.at + silence.ms) return silence.finding;
    const { finding, isAnswered } = await checkNames(parts, asked, signal);
    if (!isAnswered) silences.set(asked.place, { finding, at: nowMs(), ms: nowMs() - begunAt });
    return finding;
  };
}

async function checkNames({ clock, random, handshakeMs: ms }: TlsCheckParts, asked: Asked, signal: AbortSignal) {
  const { address, port, startTls } = asked.place;
  const withinMs = startTls === undefined ? ms : ms + GREETING_MS;
  const { certificate } = asked;
  let isAnswered = true;
  const findings = await mapLimited(certificate.identifiers, HANDSHAKES_AT_ONCE, async (identifier) => {
    // Nobody answers: it is the same for the other names.
    if (!isAnswered) return [];
    const serverName = serverNameFor(identifier, random);
    const handshake = await shakeHands({ address, port, startTls, serverName, clock, ms: withinMs }, signal);
    isAnswered &&= handshake.kind === "presented" || handshake.kind === "no-certificate";
    return [{ identifier, handshake }];
  });
  const [first, ...others] = findings
    .flat()
    .filter(({ handshake: seen }) => seen.kind !== "presented" || seen.leaf.fingerprint !== certificate.fingerprint);
  const served: ServedFinding = { kind: "served" };
  const finding = first ? explainNotServed({ ...asked, bad: [first, ...others], now: clock.now() }) : served;
  return { finding, isAnswered };
}

// For `*.x` a label that no server has by its name; for an IP address no name at all (RFC 6066 §3).
function serverNameFor(identifier: Identifier, random: () => number): string | undefined {
  if (identifier.type === "ip") return undefined;
  if (!isWildcard(identifier)) return identifier.value;
  return identifier.value.replace("*", `probe-${Math.floor(random() * 36 ** 8).toString(36)}`);
}
