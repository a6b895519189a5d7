import { createServer as createPlainServer, type Socket } from "node:net";
import { createServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { instantClock } from "../../support/instant-clock.ts";
import { poll } from "../../support/poll.ts";
import { certificateFor, listening, portOfNobody, right, serve, targetAt, wrong } from "../../support/tls-servers.ts";

const SERVED = { kind: "served" };
const NEVER = new AbortController().signal;

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
    const port = await portOfNobody();
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
