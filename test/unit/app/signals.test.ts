import { expect, onTestFinished, test } from "vitest";
import { ignoreOtherSignals } from "../../../src/app/signals.ts";

/** How often a signal is told as one that somebody has sent; undefined where it would do what the system does by itself. */
function timesTold(signal: NodeJS.Signals): number | undefined {
  const before = new Map(process.eventNames().map((name) => [name, process.listeners(name as NodeJS.Signals)]));
  onTestFinished(() => {
    for (const name of process.eventNames() as NodeJS.Signals[])
      for (const listener of process.listeners(name))
        if (!before.get(name)?.includes(listener)) process.off(name, listener);
  });
  let times = 0;
  ignoreOtherSignals(() => (times += 1));
  return process.emit(signal) ? times : undefined;
}

test.each(["SIGUSR1", "SIGUSR2", "SIGQUIT"] as const)(
  "%s, which somebody sends, is told and does nothing",
  (signal) => {
    expect(timesTold(signal)).toBe(1);
  },
);

test("SIGPIPE, by which the system tells of a line that broke, does nothing and is nobody's doing", () => {
  expect(timesTold("SIGPIPE")).toBe(0);
});
