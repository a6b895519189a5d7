import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect, createServer as createPlainServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createSecureContext, createServer } from "node:tls";
import { promisify } from "node:util";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseIdentifier, readLeaf } from "../../../src/certificate/index.ts";
import type { Listener } from "../../../src/target/kind.ts";
import { NOTHING_SAID } from "../../../src/target/nginx-files.ts";
import { nginx, nginxWords } from "../../../src/target/nginx.ts";
import { createTlsCheck } from "../../../src/target/tls/tls-check.ts";
import { createEngine } from "../../../src/target/docker/engine.ts";
import { createTargetTools } from "../../../src/target/tools.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import type { ServedCertificate } from "../../../src/reconcile/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { poll } from "../../support/poll.ts";
import { makeTestCertificate, type TestCertificate } from "../../support/test-ca.ts";

const run = promisify(execFile);
const SERVED = { kind: "served" };
const NEVER = new AbortController().signal;

let right: TestCertificate;
let wrong: TestCertificate;
beforeAll(async () => {
  [right, wrong] = await Promise.all([
    makeTestCertificate(["DNS:a.test", "DNS:b.test"]),
    makeTestCertificate(["DNS:other.test"]),
  ]);
});

const open: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listening(server: Server): Promise<number> {
  open.push(server);
  server.on("connection", (socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A TLS server that shows `right` for the names that `accepts` says, else `wrong`; `asked` gets each name in SNI. */
async function serve(accepts: (name: string) => boolean, asked: (string | undefined)[] = []): Promise<number> {
  const { certificatePem: cert, keyPem: key } = wrong;
  const server = createServer({
    cert,
    key,
    SNICallback: (name, done) => {
      const pair = accepts(name) ? right : wrong;
      done(null, createSecureContext({ cert: pair.certificatePem, key: pair.keyPem }));
    },
  });
  server.on("secureConnection", (socket) => {
    asked.push(typeof socket.servername === "string" ? socket.servername : undefined);
    socket.resume();
  });
  server.on("tlsClientError", () => {});
  return listening(server);
}

function targetAt(port: number, handshakeMs = 5000, clock = systemClock) {
  const docker = { kind: "socket", socketPath: "/nowhere/docker.sock" } as const;
  const engine = createEngine({ docker, clock: systemClock, timeouts: { callMs: 1000, execMs: 1000 } });
  const container = readContainer(inspectedContainer({ id: "a" }));
  const place = { name: "nginx-1", service: "nginx", container, address: "127.0.0.1", port, wants: () => true };
  return nginx.make(place, "", createTargetTools({ engine, clock, random: Math.random, handshakeMs }));
}

function certificateFor(...names: readonly string[]): ServedCertificate {
  const { fingerprint } = readLeaf(right.certificatePem);
  return { lineage: "a.test", identifiers: names.map(parseIdentifier), fingerprint };
}

async function makeRsaPair(): Promise<Pick<TestCertificate, "certificatePem" | "keyPem">> {
  const words =
    "req -x509 -newkey rsa:2048 -nodes -subj /CN=rsa -days 30 -addext subjectAltName=DNS:a.test -keyout - -out -";
  const { stdout } = await run("openssl", words.split(" "));
  const [keyPem = "", certificatePem = ""] = stdout.split(/(?=-----BEGIN CERT)/);
  return { certificatePem, keyPem };
}

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "no session of %s is gone on with: it would show the certificate of before",
  async (maxVersion) => {
    const { certificatePem: cert, keyPem: key } = right;
    const resumed: boolean[] = [];
    const server = createServer({ cert, key, maxVersion }, (socket) => resumed.push(socket.resume().isSessionReused()));
    const target = targetAt(await listening(server));
    const looks = () => target.tlsCheck(certificateFor("a.test"), NEVER);
    expect([await looks(), await looks(), await looks()]).toEqual([SERVED, SERVED, SERVED]);
    server.setSecureContext({ cert: wrong.certificatePem, key: wrong.keyPem });
    expect(await looks()).toHaveProperty("message", expect.stringContaining("other.test"));
    await poll("the server has seen all of them", () => resumed.length > 3);
    expect(resumed).not.toContain(true);
  },
);

describe("of several listeners", () => {
  const main = { address: "127.0.0.1", isProxied: false };
  const placeAt = (port: number) => ({
    name: "nginx-1",
    service: "nginx",
    container: readContainer(inspectedContainer({ id: "a" })),
    address: "127.0.0.1",
    port,
    wants: () => true,
  });
  const look = (listeners: readonly Listener[], names = ["a.test"]) => {
    const check = createTlsCheck({ clock: systemClock, random: Math.random, handshakeMs: 5000 });
    const place = placeAt(listeners[0]?.port ?? 0);
    const certificate = certificateFor(...names);
    const words = nginxWords(place, NOTHING_SAID);
    return check({ place, certificate, words, listenersOf: () => listeners }, NEVER);
  };
  const alerting = async () => {
    // The key is no RSA key.
    const { certificatePem: cert, keyPem: key } = wrong;
    const server = createServer({ cert, key, ciphers: "ECDHE-RSA-AES128-GCM-SHA256", maxVersion: "TLSv1.2" });
    server.on("tlsClientError", () => {});
    return listening(server);
  };

  test("each is asked, and one that presents another certificate is named", async () => {
    const [good, bad] = [await serve(() => true), await serve(() => false)];
    expect(await look([{ ...main, port: good }])).toEqual({ kind: "served" });
    const finding = await look([good, bad].map((port) => ({ ...main, port })));
    expect(finding).toHaveProperty(
      "message",
      expect.stringMatching(RegExp(` for a\\.test on 127\\.0\\.0\\.1:${bad}$`)),
    );
    expect(finding).not.toHaveProperty("isBroken");
  });

  test("one that wants a PROXY header is given one that is true, before the handshake", async () => {
    const inner = await serve(() => true);
    const headers: string[] = [];
    const outer = await listening(
      createPlainServer((socket) =>
        socket.once("data", (first: Buffer) => {
          const end = first.indexOf("\r\n");
          headers.push(first.subarray(0, end).toString().replace(String(socket.remotePort), "<port>"));
          const behind = connect(inner, "127.0.0.1").on("error", () => socket.destroy());
          behind.write(first.subarray(end + 2));
          socket.pipe(behind).pipe(socket);
        }),
      ),
    );
    expect(await look([{ ...main, port: outer, isProxied: true }])).toEqual({ kind: "served" });
    expect(headers).toEqual([`PROXY TCP4 127.0.0.1 127.0.0.1 <port> ${outer}`]);
  });

  test("one at an address that we have no way to is left out, unless there is no other; the target's own never is", async () => {
    const port = await serve(() => true);
    const nowhere = { address: "255.255.255.255", port, isProxied: false };
    expect(await look([{ ...main, port }, nowhere])).toEqual({ kind: "served" });
    expect(await look([nowhere])).toHaveProperty("message", expect.stringContaining("can't be reached"));
  });

  test("of a server with certificates for two kinds of key each is found, and another one of the same kind isn't", async () => {
    const rsa = await makeRsaPair();
    const { fingerprint, keyKind } = readLeaf(rsa.certificatePem);
    const identifiers = [parseIdentifier("a.test")];
    const both = createServer({
      key: [rsa.keyPem, right.keyPem],
      cert: [rsa.certificatePem, right.certificatePem],
    });
    const port = await listening(both.on("tlsClientError", () => {}));
    const check = createTlsCheck({ clock: systemClock, random: Math.random, handshakeMs: 5000 });
    const place = placeAt(port);
    const find = (certificate: ServedCertificate) =>
      check({ place, certificate, words: nginxWords(place, NOTHING_SAID) }, NEVER);
    expect(await find({ lineage: "a.test", identifiers, fingerprint, keyKind })).toEqual({ kind: "served" });
    expect(await find({ ...certificateFor("a.test"), keyKind: "ec" })).toEqual({ kind: "served" });
    for (const kind of ["rsa", "ec", "ed25519"])
      expect(await find({ lineage: "a.test", identifiers, fingerprint: "another", keyKind: kind })).toHaveProperty(
        "message",
        expect.stringContaining("presents another certificate"),
      );
  });

  test("one on which nobody listens keeps no certificate from the others", async () => {
    const [closed, good] = [await serve(() => true), await serve(() => true)];
    await new Promise((resolve) => open.shift()?.close(resolve));
    const check = createTlsCheck({ clock: systemClock, random: Math.random, handshakeMs: 60_000 });
    const place = placeAt(good);
    const asked = { place, certificate: certificateFor("a.test"), words: nginxWords(place, NOTHING_SAID) };
    const listenersOf = () => [good, closed].map((port) => ({ ...main, port }));
    const finding = await check({ ...asked, listenersOf }, NEVER);
    expect(finding).toHaveProperty(
      "message",
      expect.stringContaining(`nothing listens on 127.0.0.1:${closed} in nginx-1, though`),
    );
    expect(finding).toHaveProperty("remedy", expect.stringContaining("docker compose logs nginx"));
    expect(await check(asked, NEVER)).toEqual({ kind: "served" });
  });

  test("a certificate with which every handshake ends in an alert is told apart from one that somebody still gets", async () => {
    const [alert, good] = [await alerting(), await serve(() => true)];
    expect(await look([{ ...main, port: alert }], ["a.test", "b.test"])).toMatchObject({ isBroken: true });
    expect(await look([alert, good].map((port) => ({ ...main, port })))).not.toHaveProperty("isBroken");
    const silent = await listening(createPlainServer((socket) => void socket.end()));
    expect(await look([{ ...main, port: silent }])).not.toHaveProperty("isBroken");
  });
});

describe("a look at what a target serves", () => {
  test("is content when every name presents our fingerprint, though nobody trusts its issuer", async () => {
    const asked: (string | undefined)[] = [];
    const port = await serve(() => true, asked);
    expect(await targetAt(port).tlsCheck(certificateFor("a.test", "b.test"), NEVER)).toEqual({ kind: "served" });
    await poll("both names were asked for", () => asked.length === 2);
    expect(new Set(asked)).toEqual(new Set(["a.test", "b.test"]));
  });

  test("asks for a wildcard by a name below it that is a new one each time, and for an IP address by none", async () => {
    const asked: (string | undefined)[] = [];
    const port = await serve(() => true, asked);
    const target = targetAt(port);
    await target.tlsCheck(certificateFor("*.a.test", "192.0.2.1"), NEVER);
    await target.tlsCheck(certificateFor("*.a.test"), NEVER);
    await poll("all were asked for", () => asked.length === 3);
    const names = asked.filter((name) => name !== undefined);
    expect(names).toHaveLength(2);
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+\.a\.test$/);
  });

  test("names the first wrong name, how many there are, and the certificate that is there instead", async () => {
    const port = await serve((name) => name === "a.test");
    const finding = await targetAt(port).tlsCheck(certificateFor("a.test", "b.test", "c.test"), NEVER);
    expect(finding).toMatchObject({ kind: "not-served" });
    expect(finding).toHaveProperty(
      "message",
      expect.stringMatching(
        /^nginx-1 presents another certificate \(other\.test, issued by Test root, valid until \d{4}-\d\d-\d\d\) for b\.test \(2 of 3 names of a\.test\)$/,
      ),
    );
    expect(finding).toHaveProperty("remedy", expect.stringContaining("/etc/letsencrypt/live/a.test/"));
  });

  test("comes to every name, however many there are", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `name-${index}.a.test`);
    const target = targetAt(await serve((name) => name !== names[8]));
    const finding = await target.tlsCheck(certificateFor(...names), NEVER);
    expect(finding).toMatchObject({
      kind: "not-served",
      message: expect.stringContaining("for name-8.a.test") as string,
    });
  });

  test("says that nothing listens, and stops asking for more names", async () => {
    const port = await serve(() => true);
    await new Promise((resolve) => open.pop()?.close(resolve));
    const names = Array.from({ length: 50 }, (_, n) => `n${n}.test`);
    const finding = await targetAt(port).tlsCheck(certificateFor(...names), NEVER);
    expect(finding).toMatchObject({ kind: "not-served", remedy: expect.stringContaining("NGINX_HTTPS_ENABLED") });
    expect(finding).toHaveProperty(
      "message",
      expect.stringContaining(`nothing listens on 127.0.0.1:${port} in nginx-1`),
    );
  });

  test("gives up a server that never answers after its time, and at once when aborted", async () => {
    const port = await listening(createPlainServer());
    const finding = await targetAt(port, 100).tlsCheck(certificateFor("a.test"), NEVER);
    expect(finding).toHaveProperty("message", expect.stringContaining("no answer within 0.1 s"));
    const controller = new AbortController();
    const reason = new Error("stop");
    const look = targetAt(port, 60_000).tlsCheck(certificateFor("a.test"), controller.signal);
    controller.abort(reason);
    await expect(look).rejects.toBe(reason);
  });

  test("takes no longer for hundreds of certificates than for one at a server that never answers, and asks it again later", async () => {
    const clock = instantClock();
    const target = targetAt(await listening(createPlainServer()), 5000, clock);
    const startedAtMs = clock.now().getTime();
    for (const name of Array.from({ length: 200 }, (_, n) => `n${n}.test`)) {
      const finding = await target.tlsCheck(certificateFor(name), NEVER);
      expect(finding).toHaveProperty("message", expect.stringContaining("no answer within 5 s"));
    }
    // Once 6 s for what nginx says of its configuration, too.
    expect(clock.now().getTime() - startedAtMs).toBe(11_000);
    await clock.sleep(5000, NEVER);
    await target.tlsCheck(certificateFor("a.test"), NEVER);
    expect(clock.now().getTime() - startedAtMs).toBe(21_000);
  });

  test("asks no more of a server that hangs up after a while than of one that never answers", async () => {
    let connections = 0;
    const server = createPlainServer((socket) => {
      connections += 1;
      setTimeout(() => socket.end(), 1100);
    });
    const target = targetAt(await listening(server));
    const names = Array.from({ length: 12 }, (_, n) => `n${n}.test`);
    expect(await target.tlsCheck(certificateFor(...names), NEVER)).toMatchObject({ kind: "not-served" });
    expect(connections).toBe(8);
  });

  test("makes few handshakes at once, however many certificates are asked for at once, and asks one that never answers no more", async () => {
    const at = { now: 0, most: 0, all: 0 };
    const counted = (socket: Socket) => {
      at.all += 1;
      at.most = Math.max(at.most, (at.now += 1));
      socket.on("close", () => (at.now -= 1));
    };
    const names = Array.from({ length: 60 }, (_, n) => `n${n}.test`);
    const askAll = (target: ReturnType<typeof targetAt>) =>
      Promise.all(names.map((name) => target.tlsCheck(certificateFor(name), NEVER)));
    const server = createServer({ cert: right.certificatePem, key: right.keyPem }, (socket) => socket.resume());
    const port = await listening(server.on("connection", counted));
    expect(await askAll(targetAt(port))).toEqual(names.map(() => SERVED));
    expect(at).toMatchObject({ all: 60 });
    // The server hears of an end some moments after us.
    expect(at.most).toBeLessThan(20);
    const silent = targetAt(await listening(createPlainServer(counted)), 300);
    await askAll(silent);
    expect(at.all).toBeLessThan(60 + 20);
  });

  test("says that the port does not speak TLS", async () => {
    const port = await listening(createPlainServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    const finding = await targetAt(port).tlsCheck(certificateFor("a.test"), NEVER);
    expect(finding).toHaveProperty("message", expect.stringMatching(/for a\.test failed: its answer is not TLS$/));
  });

  test("gives the server's alert in plain words", async () => {
    const server = createServer({
      SNICallback: (_name, done) => done(new Error("unknown")),
      cert: wrong.certificatePem,
      key: wrong.keyPem,
    });
    server.on("tlsClientError", () => {});
    const finding = await targetAt(await listening(server)).tlsCheck(certificateFor("a.test"), NEVER);
    expect(finding).toHaveProperty(
      "message",
      expect.stringMatching(/^the TLS handshake with nginx-1 .* for a\.test failed: \S/),
    );
    expect(finding).not.toHaveProperty("message", expect.stringContaining("openssl/"));
  });
});
