import { mapLimited } from "../certificate/index.ts";
import { REQUESTS_AT_ONCE } from "./connection.ts";
import type { OrderContext } from "./order-context.ts";
import { ProblemError } from "./failures/problem-errors.ts";

// A daemon that is told to stop has 2 s for everything.
const LIMIT_MS = 10_000;
const LIMIT_AFTER_ABORT_MS = 1000;

/**
 * Gives authorizations up (RFC 8555 §7.5.2), so that none stays pending, which CAs count against an account. Best effort,
 * within 10 s, and 1 s after an abort of the order; never throws. May run twice.
 */
export async function deactivateAuthorizations(context: OrderContext, urls: readonly string[]): Promise<void> {
  if (urls.length === 0) return;
  const { signal, dispose } = signalOfItsOwn(context.deadline.signal);
  try {
    const connection = await context.reconnect(signal);
    await mapLimited(urls, REQUESTS_AT_ONCE, async (url) => {
      const giving = connection.post(`give up the authorization ${url}`, url, { status: "deactivated" });
      await giving.catch((error: unknown) => {
        // One that the CA has decided on meanwhile is no reason to leave the others.
        if (!(error instanceof ProblemError)) throw error;
      });
    });
  } catch {
    // The failure that led here is the one to tell; what stays pending at the CA lapses by itself.
  } finally {
    dispose();
  }
}

/** A signal that outlives `parent` by a moment, in which the CA can still be told. */
function signalOfItsOwn(parent: AbortSignal): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error("no time left to tidy up at the CA"));
  const timers = [setTimeout(abort, LIMIT_MS)];
  const onAbort = () => timers.push(setTimeout(abort, LIMIT_AFTER_ABORT_MS));
  if (parent.aborted) onAbort();
  else parent.addEventListener("abort", onAbort, { once: true });
  const dispose = () => {
    parent.removeEventListener("abort", onAbort);
    for (const timer of timers) clearTimeout(timer);
  };
  return { signal: controller.signal, dispose };
}
