import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, onTestFinished } from "vitest";
import { createWebrootSolvers } from "../../../src/challenge/index.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { solverContract } from "../../support/solver-contract.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { serveWebroot } from "../../support/webroot-server.ts";

describe("HTTP-01 by a webroot", () => {
  solverContract(async () => {
    const webroot = await temporaryFolder();
    const server = await serveWebroot(webroot);
    onTestFinished(() => server.close());
    const folder = join(webroot, ".well-known", "acme-challenge");
    const front = { httpUrl: async () => `http://127.0.0.1:${server.port}` };
    return {
      solver: createWebrootSolvers({ front, clock: instantClock() }).with(webroot),
      seen: () => readdir(folder).catch(() => []),
      shown: ({ token }) => token,
      putForeign: async () => {
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "foreign"), "x");
        return "foreign";
      },
    };
  });
});
