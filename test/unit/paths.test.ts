import { expect, test } from "vitest";
import { commandLine } from "../../src/cli.ts";
import { VERBS } from "../../src/commands/index.ts";
import { daemonPaths, lockFolder, takePaths } from "../../src/app/paths.ts";

const USUAL = { tree: "/etc/letsencrypt", run: "/run/cert-sidecar", logs: "/var/log/letsencrypt" };

test("without a word of them the paths are the container's", () => {
  expect(takePaths(["status", "--config-dir", "/d"])).toEqual({ paths: USUAL, rest: ["status", "--config-dir", "/d"] });
  expect(lockFolder(USUAL)).toBe("/etc/letsencrypt/sidecar");
});

test("paths come before the command, by certbot's names and in any order", () => {
  const { paths, rest } = takePaths(["--work-dir", "/r", "--logs-dir", "/l", "--config-dir", "/d", "status", "-v"]);
  expect({ paths, rest }).toEqual({ paths: { tree: "/d", run: "/r", logs: "/l" }, rest: ["status", "-v"] });
  expect(takePaths(["--config-dir", "d/../e"]).paths).toEqual({ ...USUAL, tree: `${process.cwd()}/e` });
});

test("a command that is called by its own name keeps all its words", () => {
  const { paths, rest } = commandLine({
    argv: ["node", "/usr/local/bin/update-cert", "--config-dir", "/d"],
    verbs: VERBS,
  });
  expect({ paths, rest }).toEqual({ paths: USUAL, rest: ["update-cert", "--config-dir", "/d"] });
});

test("the daemon starts with words that were never its own, and not on a folder that was not meant", () => {
  for (const words of [[], ["renew"], ["certonly", "--config-dir", "/d"]]) expect(daemonPaths(words)).toEqual(USUAL);
  expect(daemonPaths(["--config-dir", "/d"])).toEqual({ ...USUAL, tree: "/d" });
  const mistaken = [["--config-dir"], ["--config-dir=/d"], ["--config-dir", "/d", "--wrok-dir", "/r"]];
  for (const words of mistaken) expect(daemonPaths(words)).toBeUndefined();
});
