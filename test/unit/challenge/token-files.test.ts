import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { chown, lutimes, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { OperatorError } from "../../../src/certificate/index.ts";
import { createWebrootSolvers } from "../../../src/challenge/index.ts";
import type { ChallengeProof, Clock } from "../../../src/ports/index.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const signal = new AbortController().signal;
const umask = process.umask();
afterEach(() => void process.umask(umask));

type WebrootProof = ChallengeProof & { readonly webrootPath: string };

/** Solvers of one process, each asked for by the webroot of its proof. */
function solver(clock: Clock = instantClock()) {
  const solvers = createWebrootSolvers({ front: { httpUrl: async () => undefined }, clock });
  return {
    present: (proof: WebrootProof, stop: AbortSignal) => solvers.with(proof.webrootPath).present(proof, stop),
    cleanUp: (proof: WebrootProof) => solvers.with(proof.webrootPath).cleanUp(proof),
  };
}

function proofIn(webrootPath: string, token = TOKEN): WebrootProof {
  const identifier = { type: "dns", value: "a.test" } as const;
  return { identifier, token, keyAuthorization: `${token}.thumbprint`, webrootPath };
}

const challengesIn = (webroot: string) => join(webroot, ".well-known", "acme-challenge");
const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);

describe("a challenge file", () => {
  test.each([0o000, 0o022, 0o077])("can be read by every server, with umask %i too", async (mask) => {
    const webroot = await temporaryFolder();
    process.umask(mask);
    await solver().present(proofIn(webroot), signal);
    expect(await readFile(join(challengesIn(webroot), TOKEN), "utf8")).toBe(`${TOKEN}.thumbprint`);
    expect(await modeOf(join(challengesIn(webroot), TOKEN))).toBe("644");
    expect(await modeOf(challengesIn(webroot))).toBe("755");
    expect(await modeOf(join(webroot, ".well-known"))).toBe("755");
  });

  test("appears whole: no other file is left beside it", async () => {
    const webroot = await temporaryFolder();
    const webrootSolver = solver();
    await webrootSolver.present(proofIn(webroot), signal);
    await webrootSolver.present(proofIn(webroot), signal);
    expect(await readdir(challengesIn(webroot))).toEqual([TOKEN]);
  });

  test("opens folders that another umask has closed", async () => {
    const webroot = await temporaryFolder();
    await mkdir(challengesIn(webroot), { recursive: true, mode: 0o700 });
    await solver().present(proofIn(webroot), signal);
    expect(await modeOf(challengesIn(webroot))).toBe("755");
  });

  test("changes no mode behind a link inside the webroot, and of no folder but our own", async () => {
    const webroot = await temporaryFolder();
    await mkdir(join(webroot, ".well-known"));
    await writeFile(join(webroot, "key.pem"), "", { mode: 0o600 });
    await symlink("../key.pem", challengesIn(webroot));
    await expect(solver().present(proofIn(webroot), signal)).rejects.toMatchObject({ code: "CHALLENGE_WEBROOT" });
    expect(await modeOf(join(webroot, "key.pem"))).toBe("600");
    if (process.getuid?.() !== 0) return;

    const other = await temporaryFolder();
    await mkdir(challengesIn(other), { recursive: true, mode: 0o700 });
    await chown(challengesIn(other), 4321, 4321);
    await solver().present(proofIn(other), signal);
    expect(await modeOf(challengesIn(other))).toBe("700");
  });

  test("is removed with the folders made for it, and removing it again is fine", async () => {
    const webroot = await temporaryFolder();
    const webrootSolver = solver();
    await webrootSolver.present(proofIn(webroot), signal);
    await webrootSolver.cleanUp(proofIn(webroot));
    expect(await readdir(webroot)).toEqual([]);
    await webrootSolver.cleanUp(proofIn(webroot));
  });

  test("leaves the folders when there are other files, or when others made them", async () => {
    const webroot = await temporaryFolder();
    const webrootSolver = solver();
    await webrootSolver.present(proofIn(webroot), signal);
    await writeFile(join(challengesIn(webroot), "certbots"), "");
    await webrootSolver.cleanUp(proofIn(webroot));
    expect(await readdir(challengesIn(webroot))).toEqual(["certbots"]);

    const other = await temporaryFolder();
    await mkdir(join(other, ".well-known"));
    await webrootSolver.present(proofIn(other), signal);
    await webrootSolver.cleanUp(proofIn(other));
    expect(await readdir(other)).toEqual([".well-known"]);
  });

  test("of one order survives that another order's folders are being removed", async () => {
    const webroot = await temporaryFolder();
    const webrootSolver = solver();
    const tokens = Array.from({ length: 40 }, (_, index) => `token-${index}`);
    const turns = tokens.map(async (token) => {
      await webrootSolver.present(proofIn(webroot, token), signal);
      expect(await readFile(join(challengesIn(webroot), token), "utf8")).toBe(`${token}.thumbprint`);
      await webrootSolver.cleanUp(proofIn(webroot, token));
    });
    await Promise.all(turns);
    expect(await readdir(webroot)).toEqual([]);
  });

  test.each([
    [4, "is written all the same", [TOKEN]],
    [5, "is given up", "CHALLENGE_WEBROOT"],
  ])("whose folder is taken away %i times between its making and the writing %s", async (times, _, expected) => {
    const webroot = await temporaryFolder();
    let left = times;
    const now = () => {
      if (left > 0) rmSync(challengesIn(webroot), { recursive: true });
      left -= 1;
      return new Date();
    };
    const racing = solver({ ...instantClock(), now });
    const written = racing.present(proofIn(webroot), signal).then(() => readdir(challengesIn(webroot)));
    expect(await written.catch((error: OperatorError) => error.code)).toEqual(expected);
  });

  test("that a killed run has left for more than a day is removed, and nothing else", async () => {
    const webroot = await temporaryFolder();
    const folder = challengesIn(webroot);
    await mkdir(folder, { recursive: true });
    const thumbprint = "x".repeat(43);
    const put = async (name: string, text: string, hoursAgo: number) => {
      await writeFile(join(folder, name), text);
      const at = new Date(Date.now() - hoursAgo * 3_600_000);
      await lutimes(join(folder, name), at, at);
    };
    await put("left", `left.${thumbprint}`, 25);
    const kept: readonly (readonly [string, string, number])[] = [
      ["young", `young.${thumbprint}`, 23],
      ["others", `other.${thumbprint}.`.slice(0, "others".length + 44), 25],
      ["same", `else.${thumbprint}`, 25],
      ["newline", `newline.${thumbprint}\n`, 25],
      ["short", `short.${thumbprint.slice(1)}`, 25],
      ["odd", `odd.${thumbprint.slice(1)}+`, 25],
      ["empty", "", 25],
      ["page.html", "<p>mine</p>", 25],
    ];
    for (const one of kept) await put(...one);
    await writeFile(join(webroot, "elsewhere"), `link.${thumbprint}`);
    await lutimes(join(webroot, "elsewhere"), 0, 0);
    await symlink("../../elsewhere", join(folder, "link"));
    await mkdir(join(folder, "folder"));
    const webrootSolver = solver();
    await webrootSolver.present(proofIn(webroot), signal);
    const expected = [TOKEN, "folder", "link", ...kept.map(([name]) => name)].sort();
    expect((await readdir(folder)).sort()).toEqual(expected);
  });

  test("that is left is looked for once a day", async () => {
    const webroot = await temporaryFolder();
    const folder = challengesIn(webroot);
    const clock = instantClock();
    const webrootSolver = solver(clock);
    await webrootSolver.present(proofIn(webroot), signal);
    await writeFile(join(folder, "left"), `left.${"x".repeat(43)}`);
    await clock.sleep(23 * 3_600_000, signal);
    await webrootSolver.present(proofIn(webroot), signal);
    expect(await readdir(folder)).toContain("left");
    await clock.sleep(2 * 3_600_000, signal);
    await webrootSolver.present(proofIn(webroot), signal);
    expect(await readdir(folder)).toEqual([TOKEN]);
  });

  test("is not written once the signal has aborted", async () => {
    const webroot = await temporaryFolder();
    const aborted = AbortSignal.abort(new Error("stopping"));
    await expect(solver().present(proofIn(webroot), aborted)).rejects.toThrow("stopping");
    expect(await readdir(webroot)).toEqual([]);
  });
});

describe("what a CA could do to the file system", () => {
  test.each(["", ".", "..", "../../etc/cron.d/x", "a/b", "a\\b", "a\0b", "tökén", "a b", "x".repeat(201)])(
    "nothing by the token %j",
    async (token) => {
      const webroot = await temporaryFolder();
      await expect(solver().present(proofIn(webroot, token), signal)).rejects.toMatchObject({
        code: "CHALLENGE_UNSAFE_TOKEN",
      });
      await expect(solver().cleanUp(proofIn(webroot, token))).rejects.toMatchObject({ code: "CHALLENGE_UNSAFE_TOKEN" });
      expect(await readdir(webroot)).toEqual([]);
    },
  );

  test("nothing by any other text", async () => {
    const webroot = await temporaryFolder();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (token) => {
        fc.pre(!/^[\w-]{1,200}$/.test(token));
        await expect(solver().present(proofIn(webroot, token), signal)).rejects.toMatchObject({
          code: "CHALLENGE_UNSAFE_TOKEN",
        });
      }),
    );
    expect(await readdir(webroot)).toEqual([]);
  });

  test.each([".well-known", ".well-known/acme-challenge"])(
    "nothing by way of a link at %s that leads out",
    async (at) => {
      const webroot = await temporaryFolder();
      const outside = await temporaryFolder();
      await mkdir(join(outside, "acme-challenge"), { mode: 0o700 });
      await writeFile(join(outside, "acme-challenge", TOKEN), "mine");
      await writeFile(join(outside, TOKEN), "mine");
      if (at !== ".well-known") await mkdir(join(webroot, ".well-known"));
      await symlink(outside, join(webroot, at));
      const webrootSolver = solver();
      await expect(webrootSolver.present(proofIn(webroot), signal)).rejects.toThrow(/is a link that leads out of it/);
      await webrootSolver.cleanUp(proofIn(webroot));
      expect(await readFile(join(outside, TOKEN), "utf8")).toBe("mine");
      expect(await readFile(join(outside, "acme-challenge", TOKEN), "utf8")).toBe("mine");
      expect(await modeOf(join(outside, "acme-challenge"))).toBe("700");
    },
  );

  test("nothing where the folder leads out at one moment and not at the next", async () => {
    const [webroot, outside] = [await temporaryFolder(), await temporaryFolder()];
    for (const folder of [".well-known", "real"]) await mkdir(join(webroot, folder));
    await writeFile(join(outside, TOKEN), "mine");
    await symlink(join(webroot, "real"), challengesIn(webroot));
    const swap = `const { renameSync, symlinkSync } = require("node:fs");
      for (let turn = 0; ; turn += 1) {
        symlinkSync(turn % 2 ? "${outside}" : "${webroot}/real", "${webroot}/next");
        renameSync("${webroot}/next", "${challengesIn(webroot)}");
      }`;
    const swapping = spawn(process.execPath, ["-e", swap], { stdio: "ignore" });
    const exited = once(swapping, "exit");
    const webrootSolver = solver();
    for (let turn = 0; turn < 300; turn += 1) {
      await webrootSolver.present(proofIn(webroot, `token-${turn}`), signal).catch(() => undefined);
      await webrootSolver.cleanUp(proofIn(webroot)).catch(() => undefined);
    }
    swapping.kill("SIGKILL");
    await exited;
    expect(await readdir(outside)).toEqual([TOKEN]);
  });

  test("a link in place of the token's file is replaced, not followed", async () => {
    const webroot = await temporaryFolder();
    const outside = await temporaryFolder();
    await writeFile(join(outside, "file"), "mine");
    await mkdir(challengesIn(webroot), { recursive: true });
    await symlink(join(outside, "file"), join(challengesIn(webroot), TOKEN));
    await solver().present(proofIn(webroot), signal);
    expect(await readFile(join(outside, "file"), "utf8")).toBe("mine");
  });
});

describe("a webroot that can't take the file", () => {
  test("is not one that is a link itself", async () => {
    const real = await temporaryFolder();
    const link = join(await temporaryFolder(), "html");
    await symlink(real, link);
    await solver().present(proofIn(link), signal);
    expect(await readdir(challengesIn(real))).toEqual([TOKEN]);
  });

  test("because it isn't there, is named with what to mount", async () => {
    const missing = join(await temporaryFolder(), "html");
    const error: unknown = await solver()
      .present(proofIn(missing), signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "CHALLENGE_WEBROOT",
      message: expect.stringContaining(`webroot ${missing}: there is no such folder`),
      remedy: expect.stringContaining(`Mount the folder that nginx serves at ${missing}`),
    });
    await solver().cleanUp(proofIn(missing));
  });

  test.each([
    ["acme-challenge", ""],
    [`acme-challenge/${TOKEN}`, "folder"],
  ])("because something is at %s, is named by the path that people know", async (at, inside) => {
    const webroot = await temporaryFolder();
    const path = join(webroot, ".well-known", at);
    await mkdir(join(path, inside === "" ? ".." : inside), { recursive: true });
    if (inside === "") await writeFile(path, "");
    await expect(solver().present(proofIn(webroot), signal)).rejects.toMatchObject({
      code: "CHALLENGE_WEBROOT",
      message: expect.stringContaining(path) as string,
    });
  });

  test("because a file is in the way, is named", async () => {
    const webroot = await temporaryFolder();
    await writeFile(join(webroot, ".well-known"), "");
    await expect(solver().present(proofIn(webroot), signal)).rejects.toMatchObject({ code: "CHALLENGE_WEBROOT" });
  });
});
