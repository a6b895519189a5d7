import type { HttpExchange, HttpReply, HttpRequest } from "../../src/ports/index.ts";
import type { Draws } from "./draws.ts";
import type { Episode, Fault, RenewalInfoFault, Told } from "./fault-plan.ts";
import { numberOf } from "./settings.ts";
import { htmlReply, jsonReply, problemReply } from "./ca-replies.ts";
import type { SimulatedCa } from "./simulated-ca.ts";
import type { Mortal, VirtualTime } from "./virtual-time.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const TIMEOUT_MS = 30_000;

/** A fault and when it ends. */
export type ActiveFault = Pick<Episode, "fault" | "toMs" | "isEverywhere">;

/** The CA has told whoever ordered for a lineage to wait: for the account, or for that lineage alone. */
export type Patience = { readonly untilMs: number; readonly isForAll: boolean; readonly url: string };

/** What the line to a CA works with. */
export type LineParts = {
  readonly time: VirtualTime;
  /** The first one is the one that is in trouble; the others share what is everywhere. */
  readonly cas: readonly SimulatedCa[];
  readonly draws: Draws;
  readonly active: () => readonly ActiveFault[];
  /** Called with each request before anything happens to it. */
  readonly onRequest: (owner: Mortal, request: HttpRequest) => Promise<never> | undefined;
  readonly onPatience: (owner: Mortal, patience: Patience, request: HttpRequest) => void;
};

type Loss = { readonly signal: AbortSignal; readonly how: keyof typeof LOSSES };

/** What happens to one request. */
type Fate =
  | { readonly kind: "arrives" }
  | { readonly kind: "lost"; readonly how: keyof typeof LOSSES; readonly isSeen?: boolean }
  | { readonly kind: "answered"; readonly reply: HttpReply };

/** The line between one process and all CAs, with everything that goes wrong on it and at its end. */
export function openLine(parts: LineParts, owner: Mortal): HttpExchange {
  const { time, draws } = parts;
  return async (request, signal) => {
    signal.throwIfAborted();
    await parts.onRequest(owner, request);
    const ca = parts.cas.find(({ base }) => request.url.startsWith(`${base}/`));
    if (!ca) return lose(parts, owner, { signal, how: "no-dns" });
    await time.sleep(draws.between(20, 200), owner, signal);
    const isOrder = orderedNames(request) !== undefined;
    if (isOrder) time.tellAtDesk(false);
    const fate = drawFate(parts, ca, request);
    if (fate.kind === "lost") {
      if (fate.isSeen) ca.answer(request, time.nowMs());
      return lose(parts, owner, { signal, how: fate.how });
    }
    const reply = fate.kind === "answered" ? fate.reply : ca.answer(request, time.nowMs());
    // An order that was refused may be followed by a new account.
    if (isOrder && reply.status >= 400) time.tellAtDesk(true);
    const patience = patienceIn(request, reply, time.nowMs());
    if (patience) parts.onPatience(owner, patience, request);
    return { ...reply, headers: { date: new Date(time.nowMs()).toUTCString(), ...reply.headers } };
  };
}

const LOSSES = {
  refused: { code: "ECONNREFUSED", afterMs: 10 },
  reset: { code: "ECONNRESET", afterMs: 100 },
  timeout: { code: "ETIMEDOUT", afterMs: TIMEOUT_MS },
  "no-dns": { code: "ENOTFOUND", afterMs: 50 },
} as const;

async function lose({ time }: LineParts, owner: Mortal, { signal, how }: Loss): Promise<never> {
  const { code, afterMs } = LOSSES[how];
  await time.sleep(afterMs, owner, signal);
  throw Object.assign(new Error(how), { code });
}

function drawFate(parts: LineParts, ca: SimulatedCa, request: HttpRequest): Fate {
  const isFirst = ca === parts.cas[0];
  for (const active of parts.active()) {
    const fate = isFirst || active.isEverywhere ? fateBy(parts, { ...active, ca, request }) : undefined;
    if (fate) return fate;
  }
  return { kind: "arrives" };
}

type Meeting = ActiveFault & { readonly ca: SimulatedCa; readonly request: HttpRequest };

function fateBy(parts: LineParts, meeting: Meeting): Fate | undefined {
  const { fault, request, ca } = meeting;
  const { draws, time } = parts;
  switch (fault.kind) {
    case "outage":
      return { kind: "lost", how: fault.how };
    case "flaky":
      if (!draws.chance(fault.rate)) return undefined;
      return { kind: "lost", how: "reset", isSeen: draws.chance(0.5) };
    case "failing":
      return isAt(fault.at, request) ? { kind: "answered", reply: failure(parts, fault, meeting.toMs) } : undefined;
    case "rate-limit":
      return limit(parts, fault, meeting);
    case "renewal-info":
      return renewalInfo(parts, fault.how, request);
    case "nonces": {
      if (request.method !== "POST" || !draws.chance(fault.rate)) return undefined;
      return { kind: "answered", reply: ca.rejectNonce(time.nowMs()) };
    }
    // The rest goes on elsewhere: at the CA, on the disk, in the machine, at the server.
    case "proof":
    case "slow":
    case "disk-full":
    case "stopped":
    case "refusing":
    case "conf-spoiled":
    case "wrong-setting":
    case "clock-behind":
      return undefined;
  }
}

function isAt(at: "everything" | "orders" | "finalize", { url, method }: HttpRequest): boolean {
  if (at === "everything") return true;
  return method === "POST" && url.endsWith(at === "orders" ? "/new-order" : "/finalize");
}

function failure(parts: LineParts, { status, told }: Fault & { kind: "failing" }, toMs: number): HttpReply {
  const retryAfter = status === 503 ? retryAfterOf(parts, told, toMs) : undefined;
  if (parts.draws.chance(0.3)) return problemReply({ status, type: "serverInternal", detail: "an error", retryAfter });
  return htmlReply(status, `${status} from a proxy`, retryAfter === undefined ? {} : { "retry-after": retryAfter });
}

function limit(parts: LineParts, fault: Fault & { kind: "rate-limit" }, { request, toMs }: Meeting): Fate | undefined {
  const names = orderedNames(request);
  if (names === undefined) return undefined;
  if (fault.scope !== "account" && numberOf(names[0] ?? "") !== fault.lineage) return undefined;
  const retryAfter = retryAfterOf(parts, fault.told, toMs);
  const untilMs = told(retryAfter, parts.time.nowMs()) ?? toMs;
  const until = fault.told === "none" || fault.told === "nonsense" ? "" : `, retry after ${utc(untilMs)}`;
  const detail = `${limitWords(fault.scope, names[0] ?? "")}${until}: see https://letsencrypt.org/docs/rate-limits/`;
  return { kind: "answered", reply: problemReply({ status: 429, type: "rateLimited", detail, retryAfter }) };
}

function limitWords(scope: "account" | "name" | "exact-set", name: string): string {
  if (scope === "account") return "too many new orders (300) from this account in the last 3h0m0s";
  if (scope === "name") return `too many certificates (50) already issued for "${name}" in the last 168h0m0s`;
  return "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s";
}

function retryAfterOf({ draws, time }: LineParts, told: Told, toMs: number): string | undefined {
  // Mostly true, sometimes less than the truth, sometimes more.
  const untilMs = time.nowMs() + Math.max(1000, (toMs - time.nowMs()) * draws.pick([1, 1, 0.3, 1.2]));
  switch (told) {
    case "seconds":
      return String(Math.ceil((untilMs - time.nowMs()) / 1000));
    case "date":
      return new Date(untilMs + 1000).toUTCString();
    case "huge":
      return draws.pick(["9999999999", "31536000", "Fri, 31 Dec 2100 23:59:59 GMT"]);
    case "nonsense":
      return draws.pick(["soon", "-1", "", "1.5e3"]);
    case "none":
    case "text":
      return undefined;
  }
}

function renewalInfo(
  { draws, time }: LineParts,
  how: RenewalInfoFault,
  { url, method }: HttpRequest,
): Fate | undefined {
  if (method !== "GET" || !url.includes("/renewal-info/")) return undefined;
  const at = (days: number) => new Date(time.nowMs() + days * DAY).toISOString();
  const window = (start: string, end: string, headers = {}): Fate => ({
    kind: "answered",
    reply: jsonReply(200, { suggestedWindow: { start, end } }, headers),
  });
  switch (how) {
    case "html":
      return { kind: "answered", reply: htmlReply(200, "welcome") };
    case "end-before-start":
      return window(at(-1), at(-2), { "retry-after": "21600" });
    case "no-retry-after":
      return window(at(300), at(301));
    case "years-ahead":
      return window(at(700), at(1400), { "retry-after": "21600" });
    case "server-error":
      return { kind: "answered", reply: htmlReply(draws.pick([500, 502, 503]), "an error") };
    case "not-found":
    case "unsupported":
      return { kind: "answered", reply: htmlReply(404, "not found") };
    case "lost":
      return { kind: "lost", how: "timeout" };
  }
}

// What a CA has said holds, whatever it was that made it say so.
function patienceIn(request: HttpRequest, { status, headers, text }: HttpReply, nowMs: number): Patience | undefined {
  if ((status !== 429 && status !== 503) || request.url.includes("/renewal-info/")) return undefined;
  const untilMs = told(headers["retry-after"], nowMs);
  const isForAll = status === 503 || text.includes("this account");
  return untilMs === undefined ? undefined : { untilMs, isForAll, url: request.url };
}

function told(retryAfter: string | undefined, nowMs: number): number | undefined {
  if (retryAfter === undefined) return undefined;
  const ms = /^\d+$/.test(retryAfter) ? nowMs + Number(retryAfter) * 1000 : Date.parse(retryAfter);
  // Nobody need believe more than a month; what is no number and no date says nothing.
  return /^\d+$|GMT$/.test(retryAfter) ? Math.min(ms, nowMs + 31 * DAY) : undefined;
}

/** The names that an order asks for; undefined for any other request. */
export function orderedNames({ url, method, body }: HttpRequest): string[] | undefined {
  if (method !== "POST" || !url.endsWith("/new-order")) return undefined;
  const { payload } = JSON.parse(body ?? "") as { payload: string };
  const { identifiers } = JSON.parse(Buffer.from(payload, "base64url").toString()) as {
    identifiers: readonly { value: string }[];
  };
  return identifiers.map(({ value }) => value);
}

function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
