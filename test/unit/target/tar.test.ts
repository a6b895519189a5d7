import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { packTar, readTarFile } from "../../../src/target/docker/tar.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const run = promisify(execFile);
const NOW = new Date("2026-08-05T10:00:00Z");
const LONGEST = 64 * 1024;

const read = (tar: Buffer, longest = LONGEST) => readTarFile(Readable.from([tar]), longest);

test.each(["", "x", "ä\n", "y".repeat(511), "y".repeat(512), "y".repeat(513)])(
  "what is packed is what tar unpacks (%#)",
  async (text) => {
    const folder = await temporaryFolder();
    const files = [
      { name: "a.pem", content: Buffer.from(text), mode: 0o640, uid: 999, gid: 2_097_151 },
      { name: "b".repeat(100), content: Buffer.from("second"), mode: 0o400, uid: 0, gid: 0 },
    ];
    await writeFile(join(folder, "x.tar"), packTar(files, NOW));
    const { stdout } = await run("tar", ["--numeric-owner", "--utc", "-tvf", "x.tar"], { cwd: folder });
    expect(stdout).toMatch(
      /^-rw-r----- 999\/2097151 +\d+ 2026-08-05 10:00 a\.pem\n-r-------- 0\/0 +6 2026-08-05 10:00 b{100}\n$/,
    );
    await run("tar", ["--no-same-owner", "-xf", "x.tar"], { cwd: folder });
    expect(await readFile(join(folder, "a.pem"), "utf8")).toBe(text);
    expect((await stat(join(folder, "a.pem"))).mtime).toEqual(NOW);
    expect(await read(packTar(files, NOW))).toEqual(Buffer.from(text));
  },
);

test("a file is read as tar packs it, also behind a PAX header; what is none is nothing", async () => {
  const folder = await temporaryFolder();
  const long = `${"n".repeat(150)}.pem`;
  await writeFile(join(folder, long), "a long name");
  await writeFile(join(folder, "big"), "z".repeat(LONGEST));
  await symlink(long, join(folder, "link"));
  await mkdir(join(folder, "folder"));
  const packed = async (name: string) => {
    await run("tar", ["--format=pax", "-cf", "x.tar", name], { cwd: folder });
    return (await readTarFile(createReadStream(join(folder, "x.tar")), LONGEST))?.toString();
  };
  expect(await packed(long)).toBe("a long name");
  expect([await packed("link"), await packed("folder"), await packed("big")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("no archive, or half a one, is never a failure", async () => {
  expect(await read(Buffer.alloc(0))).toBeUndefined();
  const whole = packTar([{ name: "a", content: Buffer.from("text"), mode: 0o600, uid: 0, gid: 0 }], NOW);
  expect(await read(whole.subarray(0, 511))).toBeUndefined();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2048 }), async (bytes) => {
      await read(Buffer.from(bytes));
      await read(Buffer.concat([Buffer.from(bytes).subarray(0, 200), whole.subarray(200)]));
    }),
  );
});
