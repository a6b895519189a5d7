import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { deactivateAuthorizations } from "../../../src/acme/deactivate.ts";
import type { OrderContext } from "../../../src/acme/order-context.ts";
import { ProblemError } from "../../../src/acme/failures/problem-errors.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

// One more than are given up at once.
const URLS = Array.from({ length: 9 }, (_, index) => `https://ca.test/authz/${index}`);

/** Gives authorizations up at a CA that never answers, or with `refusals` at once; `isOver` once that has ended. */
function tidyUp(story: AbortSignal, refusals?: readonly Error[]) {
  const tidied = { asked: 0, isOver: false };
  const post = async (signal: AbortSignal) => {
    const refusal = refusals?.[tidied.asked];
    tidied.asked += 1;
    if (refusals) return refusal === undefined ? undefined : Promise.reject(refusal);
    return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  };
  // Of a story, what is used.
  const parts = {
    deadline: { signal: story },
    reconnect: async (signal: AbortSignal) => ({ post: () => post(signal) }),
  };
  void deactivateAuthorizations(parts as unknown as OrderContext, URLS).then(() => (tidied.isOver = true));
  return tidied;
}

test("a CA that doesn't answer keeps the failure that led here waiting for ten seconds, not longer", async () => {
  const tidied = tidyUp(new AbortController().signal);
  await vi.advanceTimersByTimeAsync(9999);
  expect(tidied).toEqual({ asked: 8, isOver: false });
  await vi.advanceTimersByTimeAsync(1);
  expect(tidied.isOver).toBe(true);
});

test("an abort leaves it one second, whether it comes before or meanwhile", async () => {
  const stop = new AbortController();
  const meanwhile = tidyUp(stop.signal);
  await vi.advanceTimersByTimeAsync(3000);
  stop.abort();
  const before = tidyUp(stop.signal);
  await vi.advanceTimersByTimeAsync(999);
  expect([meanwhile.isOver, before]).toEqual([false, { asked: 8, isOver: false }]);
  await vi.advanceTimersByTimeAsync(1);
  expect([meanwhile.isOver, before.isOver]).toEqual([true, true]);
});

test("one that the CA has decided on meanwhile leaves the others to be given up, and no timer keeps a process alive", async () => {
  const problem = { type: "urn:ietf:params:acme:error:malformed", detail: "it is valid", subproblems: [] };
  const tidied = tidyUp(new AbortController().signal, [new ProblemError("give it up", problem)]);
  await vi.advanceTimersByTimeAsync(0);
  expect(tidied).toEqual({ asked: 9, isOver: true });
  expect(vi.getTimerCount()).toBe(0);
});
