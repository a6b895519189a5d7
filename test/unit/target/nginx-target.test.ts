import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { OperatorError } from "../../../src/certificate/index.ts";
import { DockerRequestError, toEngineError } from "../../../src/target/docker/engine-errors.ts";
import { createComposeSource } from "../../../src/target/compose.ts";
import { exec } from "../../../src/target/exec.ts";
import type { ServerKind, TargetTools } from "../../../src/target/kind.ts";
import { nginx } from "../../../src/target/nginx.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { aVersion } from "../../support/a-version.ts";
import { collectLog } from "../../support/collected-log.ts";
import { ENDPOINT, engineWith, type EngineStage } from "../../support/command-engine.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";

const NEVER = new AbortController().signal;

const failed = (words: string, status: number) =>
  new DockerRequestError({ endpoint: ENDPOINT, doing: "run a command" }, words, { status });

const COMMON = { clock: instantClock(), random: () => 0.5, handshakeMs: 1000 };

function targetWith(stage: EngineStage) {
  const { engine, ran, container } = engineWith(stage);
  const place = { name: "nginx-1", service: "nginx", container, address: "127.0.0.1", port: 443, wants: () => true };
  const target = nginx.make(place, "", createTargetTools({ engine, ...COMMON }));
  return { target, ran };
}

/** The code of what is thrown; `fine` when nothing is. */
async function codeOf(doing: Promise<unknown>): Promise<string> {
  const thrown = await doing.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown === undefined) return "fine";
  return thrown instanceof OperatorError ? thrown.code : "no error of an operator's";
}

describe("the test of a target's configuration", () => {
  test("takes in what the certificates need, then has nginx look", async () => {
    const { target, ran } = targetWith({});
    expect(await codeOf(target.check(NEVER))).toBe("fine");
    expect(ran).toEqual(["test"]);
  });

  const denied = toEngineError(
    { endpoint: ENDPOINT, doing: "run" },
    Object.assign(new Error("no"), { statusCode: 403 }),
  );

  test.each<[string, NonNullable<EngineStage["ends"]>[string]]>([
    ["it has no shell", { exitCode: 127 }],
    ["older rules of a socket proxy refuse both at once", denied],
  ])("is run after them, one by one, where %s", async (_, test) => {
    const { target, ran } = targetWith({ ends: { test } });
    expect(await codeOf(target.check(NEVER))).toBe("fine");
    expect(ran).toEqual(["test", "step", "-t"]);
    const ends = { test, "-t": { exitCode: 1, stderr: "emerg" } };
    expect(await codeOf(targetWith({ ends }).target.check(NEVER))).toBe("TARGET_CONFIGURATION_REJECTED");
    const failing = { test, step: { exitCode: 1 } };
    expect(await codeOf(targetWith({ ends: failing }).target.check(NEVER))).toBe("TARGET_CERTIFICATE_STEP_FAILED");
  });

  test("tells our step which certificates are on trial, so that nothing stands in for them", async () => {
    const commands: (readonly string[])[] = [];
    const { engine, container } = engineWith({});
    const exec: typeof engine.exec = (id, argv, signal) => {
      commands.push(argv);
      return engine.exec(id, argv, signal);
    };
    const tools = createTargetTools({ engine: { ...engine, exec }, ...COMMON });
    const place = { name: "nginx-1", service: "nginx", container, address: "127.0.0.1", port: 443, wants: () => true };
    await nginx.make(place, "", tools).check(NEVER, ["a.test", "b;c"]);
    expect(commands[0]?.slice(-3)).toEqual(["step", "a.test", "b;c"]);
    expect(commands[0]?.[2]).toContain('certificate-step.sh "$@"');
  });

  test.each<[string, NonNullable<EngineStage["ends"]>, string]>([
    ["nginx refuses it", { test: { exitCode: 1, stderr: "emerg" } }, "TARGET_CONFIGURATION_REJECTED"],
    ["our step in it fails", { test: { exitCode: 3 } }, "TARGET_CERTIFICATE_STEP_FAILED"],
    ["our step ends nobody knows how", { test: { exitCode: undefined } }, "TARGET_CERTIFICATE_STEP_FAILED"],
    ["its shell can't fork", { test: { exitCode: 2 } }, "TARGET_CERTIFICATE_STEP_FAILED"],
    ["it has no nginx", { test: { exitCode: 127 }, "-t": { exitCode: 127 } }, "TARGET_COMMAND_MISSING"],
    ["a stop kills the command", { test: { exitCode: 137 } }, "TARGET_COMMAND_KILLED"],
    ["the container is gone", { test: failed("no such container", 404) }, "TARGET_NOT_RUNNING"],
    ["the container is paused", { test: failed("is paused", 409) }, "TARGET_NOT_RUNNING"],
    ["the engine fails", { test: failed("oops", 500) }, "DOCKER_REQUEST_FAILED"],
  ])("says so when %s: a certificate is blamed for a refusal alone", async (_, ends, code) => {
    expect(await codeOf(targetWith({ ends }).target.check(NEVER))).toBe(code);
  });

  test("that fails while the container stops is no refusal", async () => {
    const containers = [inspectedContainer({ id: "a", status: "exited" })];
    const { target } = targetWith({ ends: { test: { exitCode: 1 } }, containers });
    expect(await codeOf(target.check(NEVER))).toBe("TARGET_NOT_RUNNING");
  });
});

test("the test and the reload are one command where nothing comes between, and say which of them failed", async () => {
  const version = aVersion(await makeTestCertificate(["DNS:a.test"]));
  const deploy = async (ends: NonNullable<EngineStage["ends"]>) => {
    const { target, ran } = targetWith({ ends });
    return [await codeOf(Promise.resolve(target.checkAndApply?.([version], NEVER))), ...ran];
  };
  expect(await deploy({})).toEqual(["fine", "test reload"]);
  expect(await deploy({ "test reload": { exitCode: 1 } })).toEqual(["TARGET_CONFIGURATION_REJECTED", "test reload"]);
  expect(await deploy({ "test reload": { exitCode: 4 } })).toEqual(["TARGET_RELOAD_FAILED", "test reload"]);
  const [, ...others] = await deploy({ "test reload": { exitCode: 127 } });
  expect(others).toEqual(["test reload", "step", "-t", "reload", "says"]);
});

test("a reload that nginx doesn't take is a failure", async () => {
  const version = aVersion(await makeTestCertificate(["DNS:a.test"]));
  expect(await codeOf(targetWith({}).target.apply([version], NEVER))).toBe("fine");
  const { target } = targetWith({ ends: { reload: { exitCode: 1 } } });
  expect(await codeOf(target.apply([version], NEVER))).toBe("TARGET_RELOAD_FAILED");
});

test("the README names all that is run in nginx's container", async () => {
  const { engine, container } = engineWith({});
  const run: string[] = [];
  const exec: TargetTools["exec"] = async (_, argv) => {
    run.push(argv.join(" "));
    return { exitCode: 0, stdout: "", stderr: "" };
  };
  const notServed = { kind: "not-served", message: "", remedy: "" } as const;
  const tools = { ...createTargetTools({ engine, ...COMMON }), exec, tlsCheck: async () => notServed };
  const place = { name: "nginx-1", service: "nginx", container, address: "127.0.0.1", port: 443, wants: () => true };
  const version = aVersion(await makeTestCertificate(["DNS:a.test"]));
  const target = nginx.make(place, "", tools);
  await target.check(NEVER);
  await target.apply([version], NEVER);
  await target.explain(version, NEVER);
  await nginx.whyOff(place, tools, NEVER);
  const named = new Set(run.join("\n").match(/certificate-step\.sh|nginx -[a-zA-Z]( reload)?/g));
  expect([...named].sort()).toEqual(["certificate-step.sh", "nginx -T", "nginx -s reload"]);
  const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  const [, section = ""] = /\n## The Docker socket\n([^]*?)\n## /.exec(readme) ?? [];
  for (const command of named) expect(section).toContain(`\`${command}\``);
});

describe("of several nginx containers", () => {
  const OWN = "b".repeat(64);
  const own = inspectedContainer({ id: OWN, service: "certbot" });
  const replica = (number: string, more: Partial<Parameters<typeof inspectedContainer>[0]> = {}) =>
    inspectedContainer({ id: number, number, ...more });

  /** A kind that takes an argument, as a second line in the list. */
  const told: ServerKind = {
    name: "signal",
    argument: "HUP",
    tlsPort: () => 993,
    make: ({ name, port, wants }, argument) => ({
      name: `${name}:${port} ${argument}`,
      wants,
      check: async () => undefined,
      apply: async () => new Map(),
    }),
  };

  function sourceOf(containers: readonly ReturnType<typeof inspectedContainer>[], imageLabels = {}) {
    const mountinfo = `1 1 0:1 /docker/containers/${OWN}/hostname /etc/hostname rw - ext4 x rw`;
    const { engine } = engineWith({ containers, imageLabels });
    return createComposeSource({
      engine,
      ownHints: { mountinfo: async () => mountinfo, hostname: () => "web" },
      services: ["nginx"],
      scope: "default",
      project: undefined,
      ...COMMON,
      log: collectLog(),
      reconnectFirstMs: 1,
      reconnectLongestMs: 1,
      kinds: [nginx, told, exec],
      tools: createTargetTools({ engine, ...COMMON }),
    });
  }

  /** Names of the targets that are found and of those that are off, and why the first that is missing is so. */
  async function find(...containers: readonly ReturnType<typeof inspectedContainer>[]) {
    const { targets, off, missing: all } = await sourceOf([own, ...containers]).find(NEVER);
    const [missing] = all;
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
    return { targets: names(targets), off: names(off), missing: missing?.failure.code };
  }

  test("those that run are deployed to, and nothing waits for one that is down", async () => {
    const found = await find(replica("1"), replica("2", { status: "exited" }), replica("3"));
    expect(found).toEqual({ targets: ["nginx-1", "nginx-3"], off: [], missing: undefined });
  });

  test("none that runs is why the deploy waits", async () => {
    const found = await find(replica("1", { status: "exited" }), replica("2", { status: "restarting" }));
    expect(found).toEqual({ targets: [], off: [], missing: "TARGET_NOT_RUNNING" });
  });

  test("one that can't be reached, or has a wrong label, is told, and keeps none of the others", async () => {
    const elsewhere = replica("1", { networks: { other: { NetworkID: "n2", IPAddress: "10.9.0.2" } } });
    expect(await find(elsewhere, replica("2"))).toEqual({
      targets: ["nginx-2"],
      off: [],
      missing: "TARGET_UNREACHABLE",
    });
    const labels = { "cert-sidecar.port": "https" };
    expect(await find(replica("1", { labels }), replica("2"))).toEqual({
      targets: ["nginx-2"],
      off: [],
      missing: "TARGET_LABEL_INVALID",
    });
  });

  const labelled = (service: string, labels: Readonly<Record<string, string>>, more = {}) =>
    inspectedContainer({ id: service, service, labels, ...more });

  test("one of another service is a target of the kind that its label names, beside the service's own", async () => {
    const dovecot = labelled("dovecot", { "cert-sidecar.deploy": "signal:HUP" });
    const web = labelled("web", { "cert-sidecar.deploy": "nginx" });
    const plain = labelled("db", {});
    expect((await find(dovecot, web, plain, replica("1"))).targets).toEqual(["dovecot-1:993 HUP", "nginx-1", "web-1"]);
    expect(await find(dovecot, plain)).toEqual({ targets: ["dovecot-1:993 HUP"], off: [], missing: undefined });
    expect((await find(labelled("nginx", { "cert-sidecar.deploy": "signal:USR1" }))).targets).toEqual([
      "nginx-1:993 USR1",
    ]);
  });

  test("one that is told, and down, is a target only where something is put into it, and is waited for all the same", async () => {
    const labels = { "cert-sidecar.deploy": "exec:postfix reload", "cert-sidecar.certificates": "a.test" };
    const copied = { ...labels, "cert-sidecar.copy": "/tls.pem", "cert-sidecar.port": "25/smtp" };
    const down = { status: "restarting", networks: {} };
    const found = async (...containers: readonly ReturnType<typeof inspectedContainer>[]) =>
      (await sourceOf([own, ...containers]).find(NEVER)).targets.map((target) => [target.name, "tlsCheck" in target]);
    expect(await found(labelled("mail", copied, down))).toEqual([["mail-1", false]]);
    expect(await find(labelled("mail", copied, down))).toMatchObject({ missing: "TARGET_NOT_RUNNING" });
    expect(await find(labelled("mail", labels, down))).toEqual({ targets: [], off: [], missing: "TARGET_NOT_RUNNING" });
    expect(await find(labelled("mail", copied, { status: "paused" }))).toMatchObject({ targets: [] });
    expect(await found(labelled("mail", copied))).toEqual([["mail-1", true]]);
  });

  test("one whose image brings the label is none: a third-party image must not be able to ask for keys", async () => {
    const labels = { "cert-sidecar.deploy": "nginx", "cert-sidecar.certificates": "a.test" };
    const containers = [own, labelled("web", labels), labelled("nginx", labels)];
    const { targets, missing } = await sourceOf(containers, labels).find(NEVER);
    expect([targets.map(({ name }) => name), missing]).toEqual([["nginx-1"], []]);
    expect(targets[0]?.wants("other.test")).toBe(true);
    expect((await sourceOf([own, labelled("web", labels)], labels).find(NEVER)).missing).toMatchObject([
      { name: "nginx", failure: { code: "TARGET_NOT_FOUND" } },
    ]);
  });

  test.each(["haproxy", "signal", "signal:", "nginx:x", "", "Nginx"])(
    "the label %j is told with the kinds there are, and keeps none of the others",
    async (value) => {
      const web = labelled("web", { "cert-sidecar.deploy": value });
      const { targets, missing } = await sourceOf([own, web, replica("1")]).find(NEVER);
      expect(targets.map(({ name }) => name)).toEqual(["nginx-1"]);
      const failure = {
        code: "TARGET_LABEL_INVALID",
        message: expect.stringContaining("not nginx or signal:HUP or exec:COMMAND"),
      };
      expect(missing).toMatchObject([{ name: "web-1", failure }]);
    },
  );

  test("one is given the certificates that its label names; all without one, and with *", async () => {
    const wanted = async (value: string | undefined) => {
      const labels = value === undefined ? {} : { "cert-sidecar.certificates": value };
      const [target] = (await sourceOf([own, replica("1", { labels })]).find(NEVER)).targets;
      return target && ["a.test", "b.test", "c.test"].filter((lineage) => target.wants(lineage)).join(" ");
    };
    expect(await wanted(undefined)).toBe("a.test b.test c.test");
    expect(await wanted("*")).toBe("a.test b.test c.test");
    expect(await wanted(" a.test , c.test,")).toBe("a.test c.test");
    expect(await wanted(" ,")).toBeUndefined();
    const labels = { "cert-sidecar.certificates": "a.test, c.test" };
    const mail = { ...labels, "cert-sidecar.deploy": "exec:postfix reload" };
    const { targets } = await sourceOf([own, replica("1", { labels }), replica("2"), labelled("mail", mail)]).find(
      NEVER,
    );
    expect(targets.map(({ named }) => named)).toEqual([["a.test", "c.test"], ["a.test", "c.test"], undefined]);
  });

  test.each([
    ["web", { "cert-sidecar.deply": "nginx" }, /cert-sidecar\.deply="nginx", which is not one that there is: /],
    [
      "web",
      { "cert-sidecar.port": "8443" },
      /cert-sidecar\.port="8443", which is not of any use without cert-sidecar\.deploy$/,
    ],
    [
      "nginx",
      { "cert-sidecar.ports": "8443" },
      /cert-sidecar\.ports="8443", which is not one that there is: .*cert-sidecar\.port/,
    ],
  ] as const)(
    "a slip in the name of a label of %s (%j) is told, and keeps nobody from being served",
    async (...row) => {
      const [service, labels, message] = row;
      const source = sourceOf([own, replica("2"), labelled(service, labels)]);
      const { targets, missing } = await source.find(NEVER);
      expect(targets.map(({ name }) => name)).toEqual(service === "nginx" ? ["nginx-1", "nginx-2"] : ["nginx-2"]);
      const failure = { code: "TARGET_LABEL_INVALID", message: expect.stringMatching(message) };
      expect(missing).toMatchObject([{ name: `${service}-1`, failure }]);
      // An image's are nobody's slip.
      expect((await sourceOf([own, replica("2"), labelled(service, labels)], labels).find(NEVER)).missing).toEqual([]);
    },
  );

  test("a deploy waits for a service that is down, though another one is up", async () => {
    const web = labelled("web", { "cert-sidecar.deploy": "nginx" }, { status: "exited" });
    const { targets, missing } = await sourceOf([own, web, replica("1"), replica("2", { status: "exited" })]).find(
      NEVER,
    );
    expect(targets.map(({ name }) => name)).toEqual(["nginx-1"]);
    expect(missing).toMatchObject([{ name: "web", failure: { code: "TARGET_NOT_RUNNING" } }]);
  });
});
