import { describe, expect, test } from "vitest";
import { type Poll, nextPollDelayMs, pollUntilDecided } from "../../../src/acme/poll.ts";
import { instantClock } from "../../support/instant-clock.ts";

const NOW = new Date("2026-11-22T01:00:00Z");
const after = (ms: number) => new Date(NOW.getTime() + ms);

describe("the wait between two polls", () => {
  test.each([
    [undefined, 100, 1000],
    [undefined, 10_000, 1000],
    [undefined, 60_000, 6000],
    [undefined, 3_600_000, 30_000],
    [after(3000), 60_000, 3000],
    [after(0), 60_000, 250],
    [after(-60_000), 100, 250],
    [after(3_600_000), 100, 30_000],
  ])("after a Retry-After of %s, %i ms in all, is %i ms", (retryAfter, sleptMs, expected) => {
    expect(nextPollDelayMs(retryAfter, NOW, sleptMs)).toBe(expected);
  });
});

describe("polling", () => {
  const deadlineOf = (clock: ReturnType<typeof instantClock>, timeoutMs: number) => ({
    clock,
    signal: new AbortController().signal,
    deadlineAt: new Date(clock.now().getTime() + timeoutMs),
    timeoutMs,
  });

  test("polls first after 100 ms, then as often as the CA says", async () => {
    const clock = instantClock(NOW);
    const answers: Poll<string>[] = [
      { value: "pending", isPending: true },
      { value: "pending", isPending: true, retryAfter: after(5100) },
      { value: "valid", isPending: false },
    ];
    const poll = async () => answers.shift() ?? { value: "none left", isPending: false };
    await expect(pollUntilDecided({ what: "x", poll, deadline: deadlineOf(clock, 60_000) })).resolves.toBe("valid");
    expect(clock.slept).toEqual([100, 1000, 4000]);
  });

  test("asks a CA that says nothing of when less and less often", async () => {
    const clock = instantClock(NOW);
    const poll = async () => ({ value: "pending", isPending: true });
    await pollUntilDecided({ what: "x", poll, deadline: deadlineOf(clock, 300_000) }).catch(() => undefined);
    expect(clock.slept.length).toBeLessThan(60);
    expect(clock.slept).toEqual([...clock.slept].sort((a, b) => a - b));
  });

  test("ends when the order has had its time, however patient the CA", async () => {
    const clock = instantClock(NOW);
    const poll = async () => ({ value: "pending", isPending: true, retryAfter: after(3_600_000) });
    const polling = pollUntilDecided({
      what: "the order https://ca.test/1",
      poll,
      deadline: deadlineOf(clock, 120_000),
    });
    await expect(polling).rejects.toMatchObject({ code: "ACME_ORDER_TIMED_OUT" });
    await expect(polling).rejects.toThrow("the order https://ca.test/1 after 120 s");
    expect(clock.now().getTime() - NOW.getTime()).toBeLessThanOrEqual(120_000);
  });

  test("has only what is left of the order's time, when others of its steps have taken the rest", async () => {
    const clock = instantClock(NOW);
    const poll = async () => ({ value: "pending", isPending: true, retryAfter: after(3_600_000) });
    const deadline = { ...deadlineOf(clock, 120_000), deadlineAt: after(45_000) };
    await expect(pollUntilDecided({ what: "x", poll, deadline })).rejects.toMatchObject({
      code: "ACME_ORDER_TIMED_OUT",
    });
    expect(clock.slept).toEqual([100, 30_000]);
  });

  test("ends when it has slept for as long, though the clock is set back again and again", async () => {
    const clock = { ...instantClock(NOW), now: () => NOW };
    const poll = async () => ({ value: "pending", isPending: true });
    const polling = pollUntilDecided({ what: "x", poll, deadline: deadlineOf(clock, 60_000) });
    await expect(polling).rejects.toMatchObject({ code: "ACME_ORDER_TIMED_OUT" });
  });

  test("an abort ends the wait with the signal's reason", async () => {
    const deadline = { ...deadlineOf(instantClock(NOW), 60_000), signal: AbortSignal.abort(new Error("stopping")) };
    const poll = async () => ({ value: "pending", isPending: true });
    await expect(pollUntilDecided({ what: "x", poll, deadline })).rejects.toThrow("stopping");
  });
});
