import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommand } from "../../../src/commands/index.ts";
import { inspect, reconcile } from "../../../src/reconcile/index.ts";
import { commandParts } from "../../support/command-parts.ts";
import { reconcileStage } from "../../support/reconcile-stage.ts";

const { signal } = new AbortController();

test("status says what only a conf asks for, what is wrong with one, and what is none", async () => {
  const stage = await reconcileStage({ domains: "a.test;b.test;c.test" });
  await stage.run();
  stage.set("a.test");
  const at = (name: string) => join(stage.root, "renewal", name);
  await writeFile(at("c.test.conf"), "no conf\n");
  await mkdir(at("dir.conf"));
  let written = "";
  const parts = commandParts({ inspect: (options) => inspect(stage.parts(), options), now: () => stage.now() });
  const io = { out: (text: string) => void (written += text), err: () => undefined, isTty: false, signal };
  expect(await runCommand(parts, { command: "status", args: [] }, io)).toBe(1);
  expect(written).toMatch(/^b\.test\n {2}names: b\.test\n(?: .*\n)*? {2}asked for by: renewal\/b\.test\.conf alone/m);
  expect(written).toMatch(/^c\.test\n(?: .*\n)*? {2}next: no order: can't read \S+\/renewal\/c\.test\.conf: line 1/m);
  expect(written).toMatch(/^a\.test\n(?: {2}(?!asked).*\n)*b\.test$/m);
  expect(written).toContain(`${at("dir.conf")} is no certificate's: EISDIR`);
  expect(written).toContain(`what to do: Rename or delete ${at("dir.conf")}.`);
});

test("status keeps the lines of one problem together", async () => {
  const stage = await reconcileStage();
  let written = "";
  const health = { isHealthy: false, problems: ["The settings have 2 mistakes:\nONE\nTWO", "another"] };
  const parts = commandParts({
    inspect: (options) => inspect(stage.parts(), options),
    daemon: { health: () => health, nextCheckAt: () => undefined },
  });
  const io = { out: (text: string) => void (written += text), err: () => undefined, isTty: false, signal };
  await runCommand(parts, { command: "status", args: [] }, io);
  expect(written).toMatch(/unhealthy:\n {2}The settings have 2 mistakes:\n {4}ONE\n {4}TWO\n {2}another\n$/);
});

test("status and update-cert never say of a target that nobody can ask that it serves something", async () => {
  const stage = await reconcileStage();
  const told = { name: "mail-1", wants: () => true, check: async () => undefined, apply: async () => new Map() };
  stage.targets = [stage.nginx, told];
  let written = "";
  const parts = commandParts({
    inspect: (options) => inspect(stage.parts(), options),
    run: (request, log) => reconcile(stage.parts(), { request, log, signal }),
    readOptions: () => ({ isRehearsal: false, isForced: false, json: false, verbose: false, quiet: false }),
    now: () => stage.now(),
  });
  const io = { out: (text: string) => void (written += text), err: () => undefined, isTty: false, signal };
  await runCommand(parts, { command: "update-cert", args: [] }, io);
  expect(written).toMatch(/^mail-1: has been given a\.test$/m);
  expect(written).toMatch(/^a\.test: nginx-1 serves it\na\.test: mail-1 has it; what it serves is not checked$/m);
  await runCommand(parts, { command: "status", args: [] }, io);
  expect(written).toMatch(
    /^ {2}nginx-1: serves this version\n {2}mail-1: has this version; what it serves is not checked$/m,
  );
});
