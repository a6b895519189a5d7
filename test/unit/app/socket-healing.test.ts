import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createSocketHealing } from "../../../src/app/socket-healing.ts";
import { createNotebooks } from "../../../src/store/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { failingFiles } from "../../support/stepped-files.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const CONNECTED = { kind: "connected", isRestarted: true } as const;
const REPLACED = { kind: "lost", isSocketReplaced: true } as const;

/** A process on a folder; whether it ends after what it hears. */
function processOn(root: string, fs?: Parameters<typeof createNotebooks>[0]["fs"]) {
  const log = collectLog();
  const healing = createSocketHealing({
    notebook: createNotebooks({ root, log, ...(fs && { fs }) }),
    clock: instantClock(),
    log,
  });
  return {
    log,
    hear: async (...lines: readonly Parameters<typeof healing.hear>[0][]) => {
      for (const line of lines) await healing.hear(line);
      return Promise.race([healing.due.then(() => "ends"), setImmediate("stays")]);
    },
  };
}

describe("a process whose engine's socket was replaced", () => {
  test("ends, and says so, for a restart policy that starts it again", async () => {
    const { hear, log } = processOn(await temporaryFolder());
    expect(await hear(CONNECTED, REPLACED)).toBe("ends");
    expect(log.lines).toMatchObject([{ event: "docker.socket-replaced", level: "warn" }]);
  });

  test.each([
    ["has no such policy", [{ ...CONNECTED, isRestarted: false }, REPLACED]],
    ["has never been connected, so that nobody knows", [REPLACED]],
    ["has lost its engine in another way", [CONNECTED, { ...REPLACED, isSocketReplaced: false }]],
  ] as const)("stays where it %s", async (_why, lines) => {
    expect(await processOn(await temporaryFolder()).hear(...lines)).toBe("stays");
  });

  test("ends once: a start that hasn't mended it is the last, and one that has is not", async () => {
    const root = await temporaryFolder();
    expect(await processOn(root).hear(CONNECTED, REPLACED)).toBe("ends");
    expect(await processOn(root).hear(REPLACED, REPLACED)).toBe("stays");
    const mended = processOn(root);
    expect(await mended.hear(CONNECTED)).toBe("stays");
    expect(await mended.hear(REPLACED, REPLACED)).toBe("ends");
  });

  test("stays where it can't write down that it has ended: it would end again and again", async () => {
    const { hear, log } = processOn(await temporaryFolder(), failingFiles(1, "ENOSPC").fs);
    expect(await hear(CONNECTED, REPLACED)).toBe("stays");
    expect(log.lines).toMatchObject([{ event: "state.unsaved", level: "error" }]);
  });
});
