import { describe, expect, test } from "vitest";
import { OperatorError } from "../../../src/certificate/index.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import { DockerRequestError } from "../../../src/target/docker/engine-errors.ts";
import type { Engine } from "../../../src/target/docker/engine.ts";
import type { ExecResult } from "../../../src/target/docker/exec.ts";
import { createNginxFinder } from "../../../src/target/nginx-finder.ts";
import { createNginxTarget } from "../../../src/target/nginx.ts";
import { aVersion } from "../../support/a-version.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";

const NEVER = new AbortController().signal;
const ENDPOINT = "/var/run/docker.sock";

const failed = (words: string, status: number) =>
  new DockerRequestError({ endpoint: ENDPOINT, doing: "run a command" }, words, { status });

type Stage = {
  /** How the commands end, by a word of theirs; all others succeed. */
  readonly ends?: Readonly<Record<string, Partial<ExecResult> | Error>>;
  /** The containers of the service, running unless it is said otherwise. */
  readonly containers?: readonly ReturnType<typeof inspectedContainer>[];
};

/** An engine that runs commands as a test says. */
function engineWith({ ends = {}, containers = [inspectedContainer({ id: "a" })] }: Stage) {
  const ran: string[] = [];
  const read = containers.map(readContainer);
  const unused = () => Promise.reject(new Error("not asked for here"));
  const engine: Engine = {
    endpoint: ENDPOINT,
    list: async () => read.map(({ id, name, labels }) => ({ id, name, labels })),
    inspect: async (id) => read.find((one) => one.id === id),
    imageLabels: async () => ({}),
    exec: async (_, argv) => {
      const command = argv.join(" ");
      const word = command.startsWith("/bin/sh") ? "step" : (argv.at(-1) ?? "");
      ran.push(word);
      const end = ends[word] ?? {};
      if (end instanceof Error) throw end;
      return { exitCode: 0, stdout: "", stderr: "", ...end };
    },
    openEvents: unused,
  };
  return { engine, ran, container: read[0] ?? readContainer(inspectedContainer({ id: "none" })) };
}

function targetWith(stage: Stage) {
  const { engine, ran, container } = engineWith(stage);
  const target = createNginxTarget({
    engine,
    replica: { name: "nginx-1", container },
    service: "nginx",
    address: "127.0.0.1",
    tlsPort: 443,
    clock: instantClock(),
    random: () => 0.5,
    handshakeMs: 1000,
  });
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
    expect(ran).toEqual(["step", "-t"]);
  });

  test.each<[string, NonNullable<Stage["ends"]>, string]>([
    ["nginx refuses it", { "-t": { exitCode: 1, stderr: "emerg" } }, "TARGET_CONFIGURATION_REJECTED"],
    ["our step in it fails", { step: { exitCode: 1 } }, "TARGET_CERTIFICATE_STEP_FAILED"],
    ["our step ends nobody knows how", { step: { exitCode: undefined } }, "TARGET_CERTIFICATE_STEP_FAILED"],
    ["it has no shell for our step", { step: { exitCode: 127 } }, "fine"],
    ["it has no nginx", { "-t": { exitCode: 127 } }, "TARGET_COMMAND_MISSING"],
    ["a stop kills the command", { "-t": { exitCode: 137 } }, "TARGET_COMMAND_KILLED"],
    ["the container is gone", { "-t": failed("no such container", 404) }, "TARGET_NOT_RUNNING"],
    ["the container is paused", { "-t": failed("is paused", 409) }, "TARGET_NOT_RUNNING"],
    ["the engine fails", { "-t": failed("oops", 500) }, "DOCKER_REQUEST_FAILED"],
  ])("says so when %s: a certificate is blamed for a refusal alone", async (_, ends, code) => {
    expect(await codeOf(targetWith({ ends }).target.check(NEVER))).toBe(code);
  });

  test("that fails while the container stops is no refusal", async () => {
    const containers = [inspectedContainer({ id: "a", status: "exited" })];
    const { target } = targetWith({ ends: { "-t": { exitCode: 1 } }, containers });
    expect(await codeOf(target.check(NEVER))).toBe("TARGET_NOT_RUNNING");
  });
});

test("a reload that nginx doesn't take is a failure", async () => {
  const version = aVersion(await makeTestCertificate(["DNS:a.test"]));
  expect(await codeOf(targetWith({}).target.apply([version], NEVER))).toBe("fine");
  const { target } = targetWith({ ends: { reload: { exitCode: 1 } } });
  expect(await codeOf(target.apply([version], NEVER))).toBe("TARGET_RELOAD_FAILED");
});

describe("of several nginx containers", () => {
  const OWN = "b".repeat(64);
  const own = inspectedContainer({ id: OWN, service: "certbot" });
  const nginx = (number: string, more: Partial<Parameters<typeof inspectedContainer>[0]> = {}) =>
    inspectedContainer({ id: number, number, ...more });

  /** Names of the targets that are found and of those that are off, and why none is left where that is so. */
  async function find(...containers: readonly ReturnType<typeof inspectedContainer>[]) {
    const mountinfo = `1 1 0:1 /docker/containers/${OWN}/hostname /etc/hostname rw - ext4 x rw`;
    const source = createNginxFinder({
      engine: engineWith({ containers: [own, ...containers] }).engine,
      traces: { mountinfo: async () => mountinfo, hostname: () => "web" },
      service: "nginx",
      project: undefined,
      clock: instantClock(),
      random: () => 0.5,
      handshakeMs: 1000,
    });
    const {
      targets,
      off,
      missing: [missing],
    } = await source.find(NEVER);
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
    return { targets: names(targets), off: names(off), missing: missing?.failure.code };
  }

  test("those that run are deployed to, and nothing waits for one that is down", async () => {
    const found = await find(nginx("1"), nginx("2", { status: "exited" }), nginx("3"));
    expect(found).toEqual({ targets: ["nginx-1", "nginx-3"], off: [], missing: undefined });
  });

  test("none that runs is why the deploy waits", async () => {
    const found = await find(nginx("1", { status: "exited" }), nginx("2", { status: "restarting" }));
    expect(found).toEqual({ targets: [], off: [], missing: "TARGET_NOT_RUNNING" });
  });

  test("one that can't be reached, or has a wrong label, is told, and keeps none of the others", async () => {
    const elsewhere = nginx("1", { networks: { other: { NetworkID: "n2", IPAddress: "10.9.0.2" } } });
    expect(await find(elsewhere, nginx("2"))).toEqual({
      targets: ["nginx-2"],
      off: [],
      missing: "TARGET_UNREACHABLE",
    });
    const labels = { "cert-sidecar.port": "https" };
    expect(await find(nginx("1", { labels }), nginx("2"))).toEqual({
      targets: ["nginx-2"],
      off: [],
      missing: "TARGET_LABEL_INVALID",
    });
  });
});
