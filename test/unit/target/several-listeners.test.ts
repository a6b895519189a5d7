import { execFile } from "node:child_process";
import { connect, createServer as createPlainServer } from "node:net";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parseIdentifier, readLeaf } from "../../../src/certificate/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import type { Listener } from "../../../src/target/kind.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import { NOTHING_SAID } from "../../../src/target/nginx-files.ts";
import { nginxWords } from "../../../src/target/nginx.ts";
import { createTlsCheck } from "../../../src/target/tls/tls-check.ts";
import type { ServedCertificate } from "../../../src/reconcile/index.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import type { TestCertificate } from "../../support/test-ca.ts";
import { certificateFor, listening, portOfNobody, right, serve, wrong } from "../../support/tls-servers.ts";

const run = promisify(execFile);
const NEVER = new AbortController().signal;

async function makeRsaPair(): Promise<Pick<TestCertificate, "certificatePem" | "keyPem">> {
  const words =
    "req -x509 -newkey rsa:2048 -nodes -subj /CN=rsa -days 30 -addext subjectAltName=DNS:a.test -keyout - -out -";
  const { stdout } = await run("openssl", words.split(" "));
  const [keyPem = "", certificatePem = ""] = stdout.split(/(?=-----BEGIN CERT)/);
  return { certificatePem, keyPem };
}

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
    const [closed, good] = [await portOfNobody(), await serve(() => true)];
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
