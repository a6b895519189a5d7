import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";
import { acquireLock, SOCKET_NAME } from "../../../src/lock/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { lockOptions, takeLock } from "../../support/held-lock.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const PATIENCE = { timeout: 5000 };
const never = new AbortController().signal;

// Two versions meet on one tree during an upgrade: each must know the other when it asks, and when it is asked.
test.each([
  [
    "a holder",
    '{"pong":{"instance":"a1","state":"holder","description":"the older one"}}\n',
    "in use by the older one",
  ],
  ["a stronger candidate", '{"pong":{"instance":"a1","state":"candidate","description":"é"}}\n', "in use by é"],
  ["what isn't understood", '{"pong":{"state":"resting"}}\n', "in use by another process"],
  ["no answer at all", "HTTP/1.1 400 Bad Request\r\n", "in use by another process"],
])("another version is asked in the same words, and %s is understood", async (_name, answer, words) => {
  const folder = await temporaryFolder();
  const options = lockOptions(folder);
  await mkdir(options.folder);
  const asked: string[] = [];
  const other = createServer((connection) => {
    connection.once("data", (chunk) => {
      asked.push(chunk.toString());
      connection.end(answer);
    });
  });
  await new Promise<void>((resolve) => other.listen(join(options.folder, "control.000000000000.sock"), resolve));
  onTestFinished(() => void other.close());
  await expect(acquireLock(options, never)).rejects.toThrow(words);
  expect(new Set(asked)).toEqual(new Set(['{"ping":true}\n']));
});

test.each(["socket", "heartbeat"] as const)("another version that asks gets the same words (%s)", async (kind) => {
  const options = lockOptions(await temporaryFolder(), { livenessKind: kind });
  await takeLock(options);
  const [name = ""] = (await readdir(options.folder)).filter((file) => file !== SOCKET_NAME);
  const [, instance] = /^control\.([0-9a-f]{12})\.(sock|beat)$/.exec(name) ?? [];
  const connection = connect(join(kind === "socket" ? options.folder : options.runFolder, SOCKET_NAME));
  connection.write('{"ping":true}\n');
  const who = { instance, state: "holder", description: "the daemon of this test" };
  expect(await text(connection)).toBe(`${JSON.stringify({ pong: who })}\n`);
  if (kind === "socket") return;
  const isBeat = async () => {
    const beat: unknown = JSON.parse(await readFile(join(options.folder, name), "utf8"));
    expect(beat).toEqual({ ...who, beat: expect.any(Number), updatedAt: expect.any(String) });
  };
  await vi.waitFor(isBeat, PATIENCE);
});

test("a heartbeat as another version writes it keeps others away", async () => {
  const options = lockOptions(await temporaryFolder(), { beatEveryMs: 400 });
  await mkdir(options.folder);
  const path = join(options.folder, "control.000000000000.beat");
  const beating = new AbortController();
  let beat = 0;
  const write = async () => {
    beat += 1;
    const content = { instance: "a1", state: "holder", description: "the one on the share", beat, updatedAt: "?" };
    await writeFile(`${path}.new`, `${JSON.stringify(content)}\n`);
    await rename(`${path}.new`, path);
  };
  await write();
  const writing = (async () => {
    while (!beating.signal.aborted) {
      await write();
      await systemClock.sleep(10, beating.signal).catch(() => undefined);
    }
  })();
  await expect(acquireLock(options, never)).rejects.toThrow("in use by the one on the share");
  beating.abort();
  await writing;
});
