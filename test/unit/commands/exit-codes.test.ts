import { expect, test } from "vitest";
import { runCommand } from "../../../src/commands/index.ts";
import { inspect, reconcile } from "../../../src/reconcile/index.ts";
import { commandParts } from "../../support/command-parts.ts";
import { DAY, reconcileStage, type ReconcileStage } from "../../support/reconcile-stage.ts";

const { signal } = new AbortController();
const missing = [{ name: "nginx", failure: { code: "TARGET_NOT_RUNNING", message: "it is down", remedy: "Wait." } }];

async function exitCodes(stage: ReconcileStage, isHealthy?: boolean) {
  const health = isHealthy === undefined ? undefined : { isHealthy, problems: [] };
  const parts = commandParts({
    inspect: (options) => inspect(stage.parts(), options),
    run: (request, log) => reconcile(stage.parts(), { request, log, signal }),
    readOptions: () => ({ isRehearsal: false, isForced: false, json: true, verbose: false, quiet: true }),
    now: () => stage.now(),
    daemon: health && { health: () => health, nextCheckAt: () => undefined },
  });
  const io = { out: () => undefined, err: () => undefined, isTty: false, signal };
  const code = (command: string, ...args: readonly string[]) => runCommand(parts, { command, args }, io);
  return {
    certificates: await code("certificates"),
    status: await code("status"),
    updateCert: await code("update-cert"),
  };
}

test("each command says by its exit code whether what it is about is well", async () => {
  const stage = await reconcileStage();
  expect(await exitCodes(stage)).toEqual({ certificates: 1, status: 1, updateCert: 0 });
  expect(await exitCodes(stage)).toEqual({ certificates: 0, status: 0, updateCert: 0 });
  expect(await exitCodes(stage, true)).toMatchObject({ status: 0 });
  expect(await exitCodes(stage, false)).toMatchObject({ certificates: 0, status: 1 });
  stage.missing = missing;
  expect(await exitCodes(stage)).toEqual({ certificates: 0, status: 1, updateCert: 1 });
  stage.missing = [];
  stage.nginx.hides = () => true;
  expect(await exitCodes(stage)).toEqual({ certificates: 0, status: 1, updateCert: 1 });
  stage.nginx.hides = () => false;
  stage.pass(91 * DAY);
  expect(await exitCodes(stage)).toEqual({ certificates: 1, status: 1, updateCert: 0 });
});
