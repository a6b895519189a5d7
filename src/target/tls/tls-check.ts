import { createSlots, isWildcard, type Identifier } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { ServedFinding } from "../../reconcile/index.ts";
import type { Listener, Place, TlsQuestion } from "../kind.ts";
import { shakeHands, type Handshake } from "./handshake.ts";
import { explainNotServed, type NameFinding } from "./served-finding.ts";

/** What a check works with. */
export type TlsCheckParts = {
  readonly clock: Clock;
  readonly random: () => number;
  /** Time limit of one handshake, in milliseconds. */
  readonly handshakeMs: number;
};

// At one target, whoever asks: each takes some 60 KB of memory, and a reload renews hundreds of certificates at once.
const HANDSHAKES_AT_ONCE = 8;

// Mail servers let a client wait for their greeting, to find out who can't.
const GREETING_MS = 10_000;

type Asked = TlsQuestion & { readonly place: Pick<Place, "name" | "service" | "address" | "port" | "startTls"> };

/** One name to ask for on one listener. */
type Question = { readonly identifier: Identifier; readonly listener: Listener };

type Silence = { readonly handshake: Handshake; readonly at: number; readonly ms: number };

/** What one target is asked by. */
type Line = { readonly silences: Map<string, Silence>; readonly inTurn: ReturnType<typeof createSlots> };

/**
 * Makes what checks by a handshake for each of its names, on each listener, whether a certificate is presented. A listener that let
 * a handshake come to nothing is asked again only after as long as that took: it is the same for all names and certificates, and
 * each would cost a time limit. Throws only the signal's reason.
 */
export function createTlsCheck(parts: TlsCheckParts) {
  const lines = new WeakMap<object, Line>();
  const lineTo = (place: object): Line => {
    const line = lines.get(place) ?? { silences: new Map(), inTurn: createSlots(HANDSHAKES_AT_ONCE) };
    lines.set(place, line);
    return line;
  };
  return async (asked: Asked, signal: AbortSignal): Promise<ServedFinding> => {
    const line = lineTo(asked.place);
    const all = questionsOf(asked).map((one) => line.inTurn(() => ask(parts, { ...one, ...line, ...asked }, signal)));
    return findingOf(parts, asked, await Promise.all(all));
  };
}

type Asking = Question & Pick<Line, "silences"> & Pick<Asked, "place" | "certificate">;

async function ask(
  parts: TlsCheckParts,
  { identifier, listener, silences, place, certificate }: Asking,
  signal: AbortSignal,
): Promise<NameFinding> {
  const key = `${listener.address} ${listener.port}`;
  const begunAt = nowMs(parts);
  const known = silences.get(key);
  const isSilent = known && begunAt >= known.at && begunAt < known.at + known.ms; // the clock may be set back
  if (isSilent) return { identifier, listener, handshake: known.handshake };
  const handshake = await shakeHandsFor(parts, { identifier, listener, place, certificate }, signal);
  const now = nowMs(parts);
  if (isSilence(handshake, now - begunAt)) silences.set(key, { handshake, at: now, ms: now - begunAt });
  return { identifier, listener, handshake };
}

// An answer costs a moment; who hangs up after a while has none, and would for no other name.
const ANSWERS_WITHIN_MS = 1000;

function isSilence(handshake: Handshake, ms: number): boolean {
  if (handshake.kind === "presented") return false;
  return handshake.kind !== "no-certificate" || (!handshake.isAlert && ms >= ANSWERS_WITHIN_MS);
}

function questionsOf({ place: { address, port }, certificate, listenersOf }: Asked): Question[] {
  const main = [{ address, port, isProxied: false }];
  return certificate.identifiers.flatMap((identifier) =>
    (listenersOf?.(identifier) ?? main).map((listener) => ({ identifier, listener })),
  );
}

async function shakeHandsFor(
  { clock, random, handshakeMs }: TlsCheckParts,
  { identifier, listener, place, certificate }: Question & Pick<Asked, "place" | "certificate">,
  signal: AbortSignal,
): Promise<Handshake> {
  // What a label says of a port is true of it on all addresses, and of no other.
  const startTls = listener.port === place.port ? place.startTls : undefined;
  const ms = startTls === undefined ? handshakeMs : handshakeMs + GREETING_MS;
  const request = { ...listener, startTls, serverName: serverNameFor(identifier, random), clock, ms };
  const first = await shakeHands(request, signal);
  const { keyKind, fingerprint } = certificate;
  if (first.kind !== "presented" || first.fingerprint === fingerprint) return first;
  if (keyKind === undefined || first.read().leaf.keyKind === keyKind) return first;
  // It may have one for each kind of key. What else is said then would tell nothing of what everybody gets.
  const second = await shakeHands({ ...request, keyKind }, signal);
  return second.kind === "presented" && second.fingerprint === fingerprint ? second : first;
}

function findingOf({ clock }: TlsCheckParts, question: Asked, all: readonly NameFinding[]): ServedFinding {
  const { place, certificate } = question;
  // An address that we have no way to is asked nothing, but the one that is the target's. Where there is no other, nothing is proven.
  const asked = all.filter(
    ({ listener: { address }, handshake: { kind } }) => kind !== "unreachable" || address === place.address,
  );
  const findings = asked.length === 0 ? all : asked;
  const [first, ...others] = findings.filter(
    ({ handshake: seen }) => seen.kind !== "presented" || seen.fingerprint !== certificate.fingerprint,
  );
  if (!first) return { kind: "served" };
  const finding = explainNotServed({ ...question, bad: [first, ...others], now: clock.now() });
  const isBroken = findings.every(({ handshake }) => handshake.kind === "no-certificate" && handshake.isAlert);
  return isBroken ? { ...finding, isBroken } : finding;
}

function nowMs({ clock }: TlsCheckParts): number {
  return clock.now().getTime();
}

// For `*.x` a label that no server has by its name; for an IP address no name at all (RFC 6066 §3).
function serverNameFor(identifier: Identifier, random: () => number): string | undefined {
  if (identifier.type === "ip") return undefined;
  if (!isWildcard(identifier)) return identifier.value;
  return identifier.value.replace("*", `probe-${Math.floor(random() * 36 ** 8).toString(36)}`);
}
