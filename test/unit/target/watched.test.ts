import { X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:tls";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { WayWithoutEngine, HostLookup } from "../../../src/ports/index.ts";
import type { ServedCertificate } from "../../../src/reconcile/index.ts";
import { lookUpHost, systemClock } from "../../../src/system/index.ts";
import { createDeployment } from "../../../src/target/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { startDnsServer, type DnsRecord, type DnsServer } from "../../support/dns-server.ts";
import { startFakeEngine, type FakeEngine } from "../../support/fake-engine.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { poll } from "../../support/poll.ts";
import { makeTestCertificate, type TestCertificate } from "../../support/test-ca.ts";

const NEVER = new AbortController().signal;
const NOBODYS_PORT = 1;

let [ours, other]: TestCertificate[] = [];
beforeAll(async () => {
  [ours, other] = await Promise.all([makeTestCertificate(["DNS:a.test"]), makeTestCertificate(["DNS:a.test"])]);
});

let zone: Record<string, readonly DnsRecord[] | "servfail" | "silence">;
let dns: DnsServer;
let engine: FakeEngine;
let asked: string[];
let hosts: Record<string, readonly string[]>;
let requests: number;
let servers: Server[];
beforeEach(async () => {
  zone = {};
  asked = [];
  hosts = {};
  requests = 0;
  servers = [];
  dns = await startDnsServer(zone);
  engine = await startFakeEngine((path, response) => {
    asked.push(path);
    response.destroy();
  });
});
afterEach(async () => {
  for (const server of servers) server.close();
  await dns.stop();
  await engine.close();
});

/** A replica at an address of this machine, as Docker's DNS has it: compose calls its container so. */
function replica(address: string, container?: string): void {
  zone["nginx"] = [...((zone["nginx"] ?? []) as readonly DnsRecord[]), { address }];
  const pointer = address.split(".").toReversed().join(".");
  if (container) zone[`${pointer}.in-addr.arpa`] = [{ ptr: `${container}.shop_default` }];
}

async function serve(address: string, { certificatePem, keyPem }: TestCertificate, port = 0): Promise<number> {
  const server = createServer({ cert: certificatePem, key: keyPem }, (socket) => socket.end());
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(port, address, resolve));
  return (server.address() as AddressInfo).port;
}

function watched(nginx: Readonly<Record<string, string>> = {}, clock = systemClock) {
  return deploymentBy([{ kind: "watch", word: "nginx:watch", nginx }], clock);
}

function deploymentBy(ways: readonly WayWithoutEngine[], clock = systemClock) {
  const lookUp: HostLookup = {
    addresses: (name, signal) => lookUpHost.addresses(name, signal, [dns.address]),
    names: (address, signal) => lookUpHost.names(address, signal, [dns.address]),
  };
  const common = { docker: engine.address, service: "nginx", log: collectLog(), random: Math.random };
  const findHost = (host: string) => Promise.resolve(hosts[host] ?? []);
  const askForReload = async () => void (requests += 1);
  return createDeployment({ ...common, clock, withoutEngine: { ways, lookUp, findHost, askForReload } });
}

function certificateOf({ certificatePem }: TestCertificate): ServedCertificate {
  const fingerprint = new X509Certificate(certificatePem).fingerprint256;
  return { lineage: "a.test", identifiers: [{ type: "dns", value: "a.test" }], fingerprint };
}

describe("replicas that take over by themselves", () => {
  test("are all that the name has addresses for, called as where the engine is asked, in the order of their numbers", async () => {
    replica("127.0.0.12", "shop-nginx-10");
    replica("127.0.0.13", "shop_nginx_2");
    replica("127.0.0.14", "shop-nginx-2");
    replica("127.0.0.15", "edge");
    replica("127.0.0.16");
    const { targets, missing, off } = await watched().targets.find(NEVER);
    expect(targets.map(({ name }) => name)).toEqual([
      "nginx at 127.0.0.16",
      "edge",
      "nginx-2",
      "nginx-2 at 127.0.0.14",
      "nginx-10",
    ]);
    expect([missing, off]).toEqual([[], []]);
  });

  test("are seen by TLS, each for itself; one that is behind is told with the line of its log to look for", async () => {
    if (!ours || !other) throw new Error("no certificates");
    replica("127.0.0.12", "shop-nginx-1");
    replica("127.0.0.13", "shop-nginx-2");
    const port = await serve("127.0.0.12", ours);
    await serve("127.0.0.13", other, port);
    const { targets } = await watched({ NGINX_SSL_PORT: String(port) }).targets.find(NEVER);
    const certificate = certificateOf(ours);
    const [first, second] = await Promise.all(targets.map(async (target) => target.tlsCheck?.(certificate, NEVER)));
    expect(first).toEqual({ kind: "served" });
    expect(second).toMatchObject({
      kind: "not-served",
      message: expect.stringMatching(/^nginx-2 presents another certificate \(.*\) for a\.test and has not taken over/),
      remedy: expect.stringContaining(
        'docker compose logs nginx | grep cert-sidecar: the last line that names a.test or with "until this is mended"',
      ),
    });
  });

  test("are told nothing: neither a test nor a reload is asked of them", async () => {
    replica("127.0.0.12", "shop-nginx-1");
    const [target] = (await watched({ NGINX_SSL_PORT: String(NOBODYS_PORT) }).targets.find(NEVER)).targets;
    await expect(target?.check(NEVER)).resolves.toBeUndefined();
    expect(target?.takesOverItself).toBe(true);
    expect(target?.wants("any.test")).toBe(true);
    const stopped = AbortSignal.abort(new Error("stopping"));
    for (const doing of [
      target?.check(stopped),
      target?.apply([], stopped),
      target?.tlsCheck?.(certificateOf(ours as TestCertificate), stopped),
    ])
      await expect(doing).rejects.toThrow("stopping");
  });

  test.each([
    ["that the DNS doesn't know", undefined, "there is none"],
    ["for which the DNS fails", "servfail" as const, "ESERVFAIL"],
  ])("under a name %s are missing, with what to do", async (_, answer, words) => {
    if (answer) zone["nginx"] = answer;
    const { targets, missing } = await watched().targets.find(NEVER);
    expect(targets).toEqual([]);
    expect(missing).toMatchObject([{ name: "nginx", failure: { code: "TARGET_NAME_UNKNOWN" } }]);
    expect(missing[0]?.failure.message).toContain(words);
    expect(missing[0]?.failure.remedy).toContain("Run docker compose up -d nginx");
  });

  test("serve no HTTPS where that is said and nothing listens; where something does, it counts", async () => {
    if (!ours) throw new Error("no certificate");
    replica("127.0.0.12", "shop-nginx-1");
    replica("127.0.0.13", "shop-nginx-2");
    const port = await serve("127.0.0.13", ours);
    const nginx = { NGINX_HTTPS_ENABLED: "false", NGINX_SSL_PORT: String(port) };
    const { targets, off } = await watched(nginx).targets.find(NEVER);
    expect(targets.map(({ name }) => name)).toEqual(["nginx-2"]);
    expect(off).toEqual([{ name: "nginx-1", reason: "NGINX_HTTPS_ENABLED is false" }]);
  });

  test("are heard of when they get an address that was not there, whatever the DNS says in between", async () => {
    const stopping = new AbortController();
    const started: string[] = [];
    let looks = 0;
    const clock = {
      ...instantClock(),
      sleep: async (_ms: number, signal: AbortSignal) => {
        looks += 1;
        if (looks === 1) replica("127.0.0.13", "shop-nginx-2");
        if (looks === 2) zone["nginx"] = "servfail";
        if (looks === 3) zone["nginx"] = [{ address: "127.0.0.12" }];
        if (looks === 4) stopping.abort();
        signal.throwIfAborted();
      },
    };
    replica("127.0.0.12", "shop-nginx-1");
    await watched({}, clock).targets.watch((name) => started.push(name), stopping.signal);
    expect(started).toEqual(["nginx-2", "nginx-1"]);
  });

  test("are heard of when a search has found none, though they are back before anybody has looked again", async () => {
    const stopping = new AbortController();
    const started: string[] = [];
    const missing: unknown[] = [];
    let looks = 0;
    const clock = {
      ...instantClock(),
      sleep: async (_ms: number, signal: AbortSignal) => {
        looks += 1;
        const back = zone["nginx"];
        if (looks === 1) {
          delete zone["nginx"];
          missing.push(...(await targets.find(NEVER)).missing);
          if (back) zone["nginx"] = back;
        }
        if (looks === 3) stopping.abort();
        signal.throwIfAborted();
      },
    };
    replica("127.0.0.12", "shop-nginx-1");
    const { targets } = watched({}, clock);
    await targets.watch((name) => started.push(name), stopping.signal);
    expect(missing).toHaveLength(1);
    expect(started).toEqual(["nginx-1"]);
  });

  test("show the challenges at the name's own port 80", async () => {
    expect(await watched().front.httpUrl(NEVER)).toBe("http://nginx:80");
    expect(await watched({ NGINX_PORT: "8080" }).front.httpUrl(NEVER)).toBe("http://nginx:8080");
  });

  test("no engine is asked for anything", async () => {
    replica("127.0.0.12", "shop-nginx-1");
    const { targets, storageOf } = watched({ NGINX_SSL_PORT: String(NOBODYS_PORT) });
    const stopping = new AbortController();
    const watching = targets.watch(() => undefined, stopping.signal);
    const found = await targets.find(NEVER);
    await found.targets[0]?.tlsCheck?.(certificateOf(ours as TestCertificate), NEVER);
    expect(await storageOf("/").inspect(NEVER)).toBeDefined();
    await poll("the watch has looked", () => dns.asked.filter((name) => name === "nginx").length >= 4);
    stopping.abort();
    await watching;
    expect(asked).toEqual([]);
  });
});

describe("a server at an address that is named", () => {
  const at = (host: string, port: number): WayWithoutEngine => ({
    kind: "verify",
    word: `verify:${host}:${port}`,
    host,
    port,
  });

  test("is each address of the host, judged by TLS alone; one that is behind is told with where to look", async () => {
    if (!ours || !other) throw new Error("no certificates");
    hosts["host-gateway"] = ["127.0.0.13", "127.0.0.12"];
    const port = await serve("127.0.0.12", ours);
    await serve("127.0.0.13", other, port);
    const { targets, missing, off } = await deploymentBy([at("host-gateway", port)]).targets.find(NEVER);
    expect(targets.map(({ name }) => name)).toEqual([
      `host-gateway:${port} at 127.0.0.12`,
      `host-gateway:${port} at 127.0.0.13`,
    ]);
    expect([missing, off]).toEqual([[], []]);
    const certificate = certificateOf(ours);
    const [first, second] = await Promise.all(targets.map(async (target) => target.tlsCheck?.(certificate, NEVER)));
    expect(first).toEqual({ kind: "served" });
    expect(second).toMatchObject({
      kind: "not-served",
      message: expect.stringMatching(/^host-gateway:\d+ at 127\.0\.0\.13 presents .* and has not taken over/),
      remedy: expect.stringMatching(/systemctl status cert-sidecar-reload\.path .* journalctl -u .* live\/a\.test\//),
    });
    expect(requests).toBe(0);
  });

  test("is called as it was typed where it has one address, and whoever makes it take over is asked", async () => {
    hosts["127.0.0.12"] = ["127.0.0.12"];
    const [target] = (await deploymentBy([at("127.0.0.12", NOBODYS_PORT)]).targets.find(NEVER)).targets;
    expect(target).toMatchObject({ name: "127.0.0.12:1", takesOverItself: true });
    await target?.check(NEVER);
    expect(requests).toBe(0);
    expect(await target?.apply([], NEVER)).toEqual(new Map());
    expect(requests).toBe(1);
    const finding = await target?.tlsCheck?.(certificateOf(ours as TestCertificate), NEVER);
    expect(finding).toMatchObject({
      message: expect.stringContaining("nothing listens on 127.0.0.1"),
      remedy: expect.stringMatching(/systemctl status nginx there, and let the server listen on port 1 .* firewall/),
    });
    await expect(target?.apply([], AbortSignal.abort(new Error("stopping")))).rejects.toThrow("stopping");
    expect(requests).toBe(1);
  });

  test("that nobody knows is missing, with the line that makes it known", async () => {
    const ways = [at("host-gateway", 443), at("shop.test", 8443), at("127.0.0.12", 443)];
    hosts["127.0.0.12"] = ["127.0.0.12"];
    const { targets, missing } = await deploymentBy(ways).targets.find(NEVER);
    expect(targets.map(({ name }) => name)).toEqual(["127.0.0.12:443"]);
    expect(missing).toMatchObject([
      {
        name: "host-gateway:443",
        failure: {
          code: "TARGET_NAME_UNKNOWN",
          message: 'asked for the addresses of "host-gateway", which CERTBOT_DEPLOY names: there is none',
          remedy: expect.stringContaining('write extra_hosts: ["host-gateway:host-gateway"] into the service'),
        },
      },
      {
        name: "shop.test:8443",
        failure: {
          remedy: expect.stringMatching(/^Check the name .*, in .* write extra_hosts: \["shop\.test:ADDRESS"\]/),
        },
      },
    ]);
  });

  test("shows the challenges at port 80; our own nginx does, where there is one", async () => {
    const front = (...ways: readonly WayWithoutEngine[]) => deploymentBy(ways).front.httpUrl(NEVER);
    expect(await front(at("host-gateway", 8443), at("b.test", 443))).toBe("http://host-gateway:80");
    expect(await front(at("2001:db8::1", 443))).toBe("http://[2001:db8::1]:80");
    const own: WayWithoutEngine = { kind: "watch", word: "nginx:watch", nginx: {} };
    expect(await front(at("host-gateway", 443), own)).toBe("http://nginx:80");
  });

  test("is heard of when its name gets an address", async () => {
    const stopping = new AbortController();
    const started: string[] = [];
    let looks = 0;
    const clock = {
      ...instantClock(),
      sleep: async (_ms: number, signal: AbortSignal) => {
        looks += 1;
        if (looks === 1) hosts["host-gateway"] = ["127.0.0.12"];
        if (looks === 3) stopping.abort();
        signal.throwIfAborted();
      },
    };
    await deploymentBy([at("host-gateway", 443)], clock).targets.watch((name) => started.push(name), stopping.signal);
    expect(started).toEqual(["host-gateway:443"]);
  });
});
