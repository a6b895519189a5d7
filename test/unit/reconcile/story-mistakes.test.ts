import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buildProgram } from "../../../src/app/build.ts";
import { takePaths } from "../../../src/app/paths.ts";
import { runCommand } from "../../../src/commands/index.ts";
import { assessHealth, changeAccountKey, inspect, reconcile } from "../../../src/reconcile/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { commandParts } from "../../support/command-parts.ts";
import { readConfig } from "../../support/read-config.ts";
import { DAY, outcomes, PRODUCTION, reconcileStage, type ReconcileStage } from "../../support/reconcile-stage.ts";

const GOOD = { CERTBOT_DOMAIN: "a.test", CERTBOT_SERVER: PRODUCTION };

/** A process that has just started with these settings, right or wrong. */
function restart(stage: ReconcileStage, environment: Readonly<Record<string, string>>): void {
  const config = readConfig(environment);
  const program = buildProgram(config, {
    paths: takePaths([]).paths,
    log: collectLog(),
    version: "0",
  });
  stage.policy = program.parts.policy;
}

async function stageWith(environment: Readonly<Record<string, string>> = GOOD): Promise<ReconcileStage> {
  const stage = await reconcileStage();
  restart(stage, environment);
  await stage.run();
  return stage;
}

const PLAIN = { isRehearsal: false, isForced: false, json: false, verbose: false, quiet: false };

async function command(stage: ReconcileStage, name: string, args: readonly string[] = [], options = PLAIN) {
  const { signal } = new AbortController();
  const written = { out: "", err: "" };
  const io = {
    out: (text: string) => void (written.out += text),
    err: (text: string) => void (written.err += text),
    isTty: false,
    signal,
  };
  const parts = commandParts({
    inspect: (options) => inspect(stage.parts(), options),
    run: (request, log) => reconcile(stage.parts(), { request, log, signal }),
    changeAccountKey: () => changeAccountKey(stage.parts(), { log: stage.log, signal }),
    readOptions: () => options,
    settingsProblem: stage.policy.settingsProblem,
    now: () => stage.now(),
  });
  return { code: await runCommand(parts, { command: name, args }, io), ...written };
}

const ordersFor = ({ ca }: ReconcileStage) =>
  ca.orders.map(({ identifiers, directoryUrl }) => `${identifiers.map(({ value }) => value).join()} ${directoryUrl}`);

describe("with a mistake in the settings", () => {
  test.each([
    ["an impossible name", { CERTBOT_DOMAIN: "a_b.test;not/a/name" }],
    ["an impossible name beside the one there is", { CERTBOT_DOMAIN: "a.test,a_b.test" }],
    ["a placeholder", { CERTBOT_DOMAIN: "your_domain.com" }],
    ["the same first name twice", { CERTBOT_DOMAIN: "a.test,b.test;a.test" }],
    ["a bad address in an option", { CERTBOT_OPTIONS: "--ip-address a.test" }],
    ["a name for one of two certificates", { CERTBOT_DOMAIN: "a.test;b.test", CERTBOT_OPTIONS: "--cert-name c.test" }],
    ["an unknown option", { CERTBOT_OPTIONS: "--frobnicate -d c.test" }],
    ["a quote that isn't closed", { CERTBOT_OPTIONS: "--key-type 'rsa" }],
    ["an unknown setting", { CERTBOT_SEVER: "letsencrypt" }],
    ["another CA that is none", { CERTBOT_SERVER: "letsenkrypt" }],
    ["a wrong second CA", { CERTBOT_FALLBACK_SERVER: "http://b.test" }],
    ["a kind of key that is none", { CERTBOT_KEY_TYPE: "dsa" }],
    ["a profile that is none", { CERTBOT_PROFILE: "short lived" }],
    ["a challenge that is none", { CERTBOT_CHALLENGE: "dns-02" }],
    ["a webroot that is none", { CERTBOT_WEBROOT_PATH: "www" }],
    ["an e-mail address that is none", { CERTBOT_EMAIL: "admin@" }],
    ["half of an external account", { CERTBOT_EAB_KID: "kid" }],
    ["a bundle that isn't there", { CERTBOT_CA_BUNDLE: "/nowhere.pem" }],
    ["a wrong schedule", { CERTBOT_SCHEDULE: "often" }],
    ["a wrong log level", { CERTBOT_LOG_LEVEL: "loud" }],
    ["a wrong engine", { DOCKER_HOST: "ssh://elsewhere" }],
    ["a planned setting", { CERTBOT_NOTIFY: "ntfy://x" }],
  ])("what is on disk is renewed by its own conf and served: %s", async (_, wrong) => {
    const stage = await stageWith();
    restart(stage, { ...GOOD, ...wrong });
    const [before] = ordersFor(stage);
    stage.pass(61 * DAY);
    const report = await stage.run();
    expect(outcomes(report).filter((line) => line.startsWith("a.test"))).toEqual(["a.test renewed"]);
    expect(ordersFor(stage).filter((order) => order === before)).toHaveLength(2);
    expect(stage.nginx.served()).toContain("a.test=a.test/2");
    expect(report.settingsFailure).toMatchObject({ code: "SETTINGS_INVALID" });
  });

  test.each([
    ["another name", { CERTBOT_DOMAIN: "a.test,b.test", CERTBOT_KEY_TYPE: "dsa" }],
    ["another kind of key", { CERTBOT_OPTIONS: "--key-type rsa --frobnicate" }],
    ["another CA", { CERTBOT_SERVER: "zerossl", CERTBOT_PROFILE: "short lived" }],
    ["a new certificate", { CERTBOT_DOMAIN: "a.test;b.test", CERTBOT_EMAIL: "admin@" }],
  ])("%s waits, and comes when they are right", async (_, wrong) => {
    const stage = await stageWith();
    restart(stage, { ...GOOD, ...wrong });
    await stage.run();
    stage.pass(DAY);
    await stage.command();
    expect(ordersFor(stage)).toHaveLength(1);
  });

  test("a certificate that isn't there says what it waits for, and wakes nobody for it", async () => {
    const stage = await stageWith();
    restart(stage, { ...GOOD, CERTBOT_DOMAIN: "a.test;b.test", CERTBOT_SERVER: "nobody" });
    const report = await stage.run();
    expect(outcomes(report)).toEqual(["b.test held SETTINGS_INVALID", "a.test not-due"].toSorted());
    const held = report.certificates.find(({ outcome }) => outcome === "held");
    expect(held?.failure?.message).toBe("b.test waits until the settings are right: nothing is ordered for it");
    expect([held?.nextAt, held?.wakeAt]).toEqual([undefined, undefined]);
    expect(stage.told("lineage.failed")).toEqual([]);
  });

  test("health, status and update-cert say all that is wrong, and which certificates are there", async () => {
    const stage = await stageWith();
    restart(stage, { ...GOOD, CERTBOT_DOMAIN: "a.test;b_", CERTBOT_EMAIL: "admin@" });
    const lastReport = await stage.run();
    const words = ["The settings have 2 mistakes:", 'CERTBOT_DOMAIN="b_": ', 'CERTBOT_EMAIL="admin@": is no e-mail'];
    const health = assessHealth({ now: stage.now(), loop: { lastReport } });
    const status = await command(stage, "status");
    const update = await command(stage, "update-cert");
    for (const word of words) {
      expect(health.problems.join("\n")).toContain(word);
      expect(status.err).toContain(word);
      expect(update.err).toContain(word);
    }
    expect(status).toMatchObject({ code: 2, out: expect.stringMatching(/^a\.test\n {2}names: a\.test\n/) });
    expect(update).toMatchObject({ code: 2, out: expect.stringMatching(/^a\.test: not due/) });
    expect(JSON.parse((await command(stage, "status", ["--json"])).out)).toMatchObject({
      isGood: false,
      settingsFailure: { code: "SETTINGS_INVALID" },
    });
    const certificates = await command(stage, "certificates");
    expect(certificates).toMatchObject({
      code: 2,
      err: update.err,
      out: expect.stringContaining("Expiry: valid until"),
    });
  });

  test.each([{ isForced: true }, { isRehearsal: true }, { order: { directoryUrl: PRODUCTION } }])(
    "update-cert does nothing special, since more may have been meant: %j",
    async (more) => {
      const stage = await stageWith();
      restart(stage, { ...GOOD, CERTBOT_OPTIONS: "--key-typ rsa" });
      const { code, out, err } = await command(stage, "update-cert", [], { ...PLAIN, ...more });
      expect({ code, out, err }).toEqual({ code: 2, out: "", err: expect.stringMatching(/did you mean --key-type\?/) });
      expect(ordersFor(stage)).toHaveLength(1);
    },
  );

  test("each command says once what is wrong", async () => {
    const stage = await stageWith();
    restart(stage, { ...GOOD, CERTBOT_SERVER: "nobody" });
    for (const name of ["update-cert", "status", "certificates", "rotate-account-key"]) {
      const { code, err } = await command(stage, name);
      expect({ name, code, times: err.split("SETTINGS_INVALID").length - 1 }).toEqual({ name, code: 2, times: 1 });
    }
  });

  test("no account gets a new key, since nobody knows at which CA", async () => {
    const stage = await stageWith();
    restart(stage, { ...GOOD, CERTBOT_SERVER: "nobody" });
    const { code, err } = await command(stage, "rotate-account-key");
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('CERTBOT_SERVER="nobody"') });
  });

  test.each([
    ["an empty conf", (conf: string) => writeFile(conf, "")],
    ["no conf", (conf: string) => rm(conf)],
  ])("what is on disk with %s is left as it is, and served: nothing says how it is ordered", async (_, spoil) => {
    for (const domain of ["a.test", "a.test,b.test", "x_"]) {
      const stage = await stageWith();
      await spoil(join(stage.root, "renewal", "a.test.conf"));
      restart(stage, { ...GOOD, CERTBOT_SERVER: "nobody", CERTBOT_DOMAIN: domain });
      stage.pass(61 * DAY);
      await stage.run();
      await stage.command();
      expect({ domain, orders: ordersFor(stage) }).toEqual({ domain, orders: [`a.test ${PRODUCTION}`] });
      expect(stage.nginx.served()).toContain("a.test=a.test/1");
    }
  });

  test("an impossible certificate holds up no other", async () => {
    const stage = await stageWith({ ...GOOD, CERTBOT_DOMAIN: "c.test;a_b.test;d.test,x.test;e.test" });
    expect(stage.ca.orders.map(({ names }) => names).sort()).toEqual(["c.test", "d.test,x.test", "e.test"]);
  });

  test.each([
    ["that is mistyped", "a.test;b.test,c_c.test"],
    ["of which nobody knows which is meant", "a.test;b.test,c.test;b.test,d.test"],
    ["for which its CA gives none", "a.test;b.test,10.0.0.1"],
  ])("a name that is to go to a certificate %s stays where it is until then", async (_, domains) => {
    const stage = await stageWith({ ...GOOD, CERTBOT_DOMAIN: "a.test,b.test", CERTBOT_SERVER: "letsencrypt" });
    restart(stage, { CERTBOT_DOMAIN: domains, CERTBOT_SERVER: "letsencrypt" });
    const report = await stage.run();
    expect(outcomes(report)).toEqual(["a.test not-due"]);
    expect((await stage.list()).map((line) => line.split(" "))).toEqual([["a.test", "a.test", "b.test"]]);
    stage.pass(61 * DAY);
    await stage.run();
    restart(stage, { CERTBOT_DOMAIN: "a.test;b.test", CERTBOT_SERVER: "letsencrypt" });
    await stage.run();
    const names = stage.ca.orders.map((one) => one.names);
    expect(names).toEqual(["a.test,b.test", "a.test,b.test", "b.test", "a.test"]);
  });

  test("a name that nobody names any more is given up, whatever else is mistyped", async () => {
    const stage = await stageWith({ ...GOOD, CERTBOT_DOMAIN: "a.test,b.test" });
    restart(stage, { ...GOOD, CERTBOT_DOMAIN: "a.test;c.test,d_d.test" });
    await stage.run();
    expect(stage.ca.orders.map(({ names }) => names)).toEqual(["a.test,b.test", "a.test"]);
  });

  test("nothing is ordered, nor anybody registered, where nothing is there yet", async () => {
    for (const wrong of [
      { CERTBOT_EMAIL: "admin@" },
      { CERTBOT_SERVER: "nobody" },
      { CERTBOT_DOMAIN: "your_domain.com" },
    ]) {
      const stage = await stageWith({ ...GOOD, ...wrong });
      await stage.command();
      expect(ordersFor(stage)).toEqual([]);
    }
  });
});
