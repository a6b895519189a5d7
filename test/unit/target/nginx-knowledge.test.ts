import { expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import type { TargetTools } from "../../../src/target/kind.ts";
import { nginx } from "../../../src/target/nginx.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { aVersion } from "../../support/a-version.ts";
import { engineWith } from "../../support/command-engine.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";

const NEVER = new AbortController().signal;
const MINUTE = 60_000;

test("nginx is asked for its configuration once a start and a reload, again where something isn't served, and each hour", async () => {
  const version = aVersion(await makeTestCertificate(["DNS:a.test"]));
  const clock = instantClock();
  const listen = (ports: string) => `# configuration file /etc/nginx/nginx.conf:
    http { server { ${ports} server_name a.test; ssl_certificate /live/${version.lineage}/fullchain.pem; } }\n`;
  let [asks, isServed, says] = [0, true, listen("listen 443 ssl;")];
  const asked: string[] = [];
  const { engine } = engineWith({});
  const tools: TargetTools = {
    ...createTargetTools({ engine, clock, random: () => 0.5, handshakeMs: 1000 }),
    exec: async (_, argv) => {
      asks += argv.join(" ").includes("nginx -T") ? 1 : 0;
      return { exitCode: 0, stdout: says, stderr: "" };
    },
    tlsCheck: async (_, { listenersOf }) => {
      asked.push((listenersOf?.(parseIdentifier("a.test")) ?? []).map(({ port }) => port).join(" "));
      return isServed ? { kind: "served" } : { kind: "not-served", message: "", remedy: "" };
    },
  };
  let startedAt = new Date(0);
  const found = (id = "a") => {
    const container = readContainer(inspectedContainer({ id, startedAt }));
    const place = { name: "nginx-1", service: "nginx", container, address: "172.18.0.3", port: 443, wants: () => true };
    return nginx.make(place, "", tools);
  };
  /** How often it is asked by a search and its checks. */
  const asksOf = async (id?: string) => {
    const before = asks;
    const target = found(id);
    for (let turn = 0; turn < 3; turn += 1) await target.tlsCheck(version, NEVER);
    return asks - before;
  };
  expect([await asksOf(), await asksOf(), await asksOf()]).toEqual([1, 0, 0]);
  says = listen("listen 443 ssl; listen 8443 ssl;");
  await found().apply([version], NEVER);
  expect([await asksOf(), await asksOf()]).toEqual([1, 0]);
  expect(asked.at(-1)).toBe("443 8443");
  isServed = false;
  expect([await asksOf(), await asksOf()]).toEqual([1, 1]);
  isServed = true;
  expect([await asksOf(), await asksOf("b"), await asksOf("b")]).toEqual([0, 1, 0]);
  startedAt = new Date(1000);
  expect([await asksOf("b"), await asksOf("b")]).toEqual([1, 0]);
  await clock.sleep(61 * MINUTE, NEVER);
  expect([await asksOf("b"), await asksOf("b")]).toEqual([1, 0]);
  clock.setBack(120 * MINUTE);
  expect(await asksOf("b")).toBe(1);
  says = "nginx: refused";
  await found("b").apply([version], NEVER);
  expect([await asksOf("b"), await asksOf("b")]).toEqual([1, 1]);
  expect(asked.at(-1)).toBe("");
});
