import { asOperatorError } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import type { Ca } from "./ca.ts";
import type { Directory } from "./objects.ts";
import { CaFailingError, CaUnreachableError } from "./failures/connection-errors.ts";
import { ProxyFailedError } from "./failures/proxy-failed.ts";
import { ACME_ERROR } from "./failures/problem.ts";
import { ProblemError, RateLimitedError } from "./failures/problem-errors.ts";

/** A request that may be sent again. */
export type Repeatable = {
  readonly ca: Ca;
  /** What is asked; in the log it finishes "repeated to …". */
  readonly doing: string;
  readonly log: Log;
  readonly signal: AbortSignal;
};

// Long enough for a server that restarts behind a load balancer, short enough for somebody who watches.
const FAILURE_DELAYS_MS = [250, 1000];

// At a CA that refuses half of all nonces one request in a million needs more than twenty. A CA that refuses each one, as while
// its servers disagree, gets five seconds to come to its senses.
const NONCE_DELAYS_MS = [...Array<number>(9).fill(0), ...Array<number>(10).fill(500)];

// An order given up for a wait of half a minute would wait for the back-off.
const LONGEST_WAIT_MS = 30_000;
const MOST_WAITS = 2;

/**
 * Does `ask`, and again a few times after a failure of line or server, twice when the CA asks for half a minute or less
 * (RFC 8555 §6.6), and up to 20 times in all after a refused nonce (RFC 8555 §6.5). Throws the last failure, or the signal's
 * reason.
 */
export async function repeatedly<T>({ ca, doing, log, signal }: Repeatable, ask: () => Promise<T>): Promise<T> {
  const delaysMs = { failure: [...FAILURE_DELAYS_MS], nonce: [...NONCE_DELAYS_MS] };
  let timesWaited = 0;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const askedMs = timesWaited < MOST_WAITS ? askedWaitMs(error, ca.clock.now()) : undefined;
      if (askedMs !== undefined) timesWaited += 1;
      const why = whyRepeat(error);
      const delayMs = askedMs ?? (why && delaysMs[why].shift());
      if (delayMs === undefined) throw error;
      if (why !== "nonce") {
        const { code, message: reason } = asOperatorError(error);
        log.warn("request.repeated", { ca: ca.directoryUrl, doing, code, reason, delayMs });
      }
      if (delayMs > 0) await ca.clock.sleep(delayMs, signal);
    }
  }
}

/** The CA's directory, as `ca.directory` gives it, asked for {@link repeatedly}. */
export function showDirectory(ca: Ca, { log, signal }: Pick<Repeatable, "log" | "signal">): Promise<Directory> {
  return repeatedly({ ca, doing: "give its directory", log, signal }, () => ca.directory(signal));
}

function whyRepeat(error: unknown): "failure" | "nonce" | undefined {
  const isPassing = [CaUnreachableError, CaFailingError, ProxyFailedError].some((kind) => error instanceof kind);
  if (isPassing) return "failure";
  const isRefusedNonce = error instanceof ProblemError && error.problem.type === `${ACME_ERROR}badNonce`;
  return isRefusedNonce ? "nonce" : undefined;
}

function askedWaitMs(error: unknown, now: Date): number | undefined {
  if (!(error instanceof RateLimitedError) || typeof error.retry !== "object") return undefined;
  const ms = Math.max(0, error.retry.notBefore.getTime() - now.getTime());
  return ms <= LONGEST_WAIT_MS ? ms : undefined;
}
