// A process that takes and gives back the lock as its parent tells it over IPC: argv[2] holds the options as JSON.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createControlServer } from "../../src/control/index.ts";
import type { ControlHandler } from "../../src/control/index.ts";
import { acquireLock } from "../../src/lock/index.ts";
import type { Lock } from "../../src/lock/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { collectLog } from "./collected-log.ts";

/** What is told to the child. */
export type TakerOrder = { readonly order: "take" | "ask" | "release" | "compete" };
/** What the child answers to each order. */
export type TakerAnswer = { readonly hasLock: boolean; readonly problem?: string };
/** How the child takes the lock. */
export type TakerOptions = {
  readonly folder: string;
  readonly runFolder: string;
  readonly description: string;
  readonly wait: boolean;
  readonly livenessKind: "socket" | "heartbeat";
  readonly beatEveryMs: number;
};

const options = JSON.parse(process.argv[2] ?? "") as TakerOptions;
let lock: Lock | undefined;

const handler: ControlHandler = async (request, io) => {
  io.out(`${options.description} did ${request.command}\n`);
  return 0;
};

async function take(): Promise<void> {
  lock = await acquireLock(
    {
      ...options,
      serve: (identify) => createControlServer(handler, identify),
      clock: systemClock,
      log: collectLog(),
      random: Math.random,
      retryEveryMs: 5,
    },
    new AbortController().signal,
  );
}

async function release(): Promise<void> {
  await lock?.release();
  lock = undefined;
}

// Whoever has the lock must find no trace of another holder.
async function compete(): Promise<void> {
  const trace = join(options.folder, "held-by");
  for (let turn = 0; turn < 15; turn += 1) {
    await take();
    await writeFile(trace, options.description, { flag: "wx" });
    await systemClock.sleep(Math.random() * 4, new AbortController().signal);
    await rm(trace);
    await release();
  }
}

process.on("message", (message: TakerOrder) => {
  const doIt = { take, ask: async () => undefined, release, compete }[message.order];
  void doIt().then(
    async () => process.send?.({ hasLock: (await lock?.isHeld()) ?? false } satisfies TakerAnswer),
    (thrown: unknown) => process.send?.({ hasLock: false, problem: String(thrown) } satisfies TakerAnswer),
  );
});
