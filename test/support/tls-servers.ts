import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { createSecureContext, createServer } from "node:tls";
import { afterEach, beforeAll } from "vitest";
import { parseIdentifier, readLeaf } from "../../src/certificate/index.ts";
import type { ServedCertificate } from "../../src/reconcile/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { readContainer } from "../../src/target/docker/container.ts";
import { createEngine } from "../../src/target/docker/engine.ts";
import { nginx } from "../../src/target/nginx.ts";
import { createTargetTools } from "../../src/target/tools.ts";
import { inspectedContainer } from "./fake-engine.ts";
import { makeTestCertificate, type TestCertificate } from "./test-ca.ts";

/** A certificate for a.test and b.test, and one for other.test. */
export let right: TestCertificate;
export let wrong: TestCertificate;
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

/** Has a server listen on a port of its own until the test has ended. */
export async function listening(server: Server): Promise<number> {
  open.push(server);
  server.on("connection", (socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens any more. */
export async function portOfNobody(): Promise<number> {
  const port = await serve(() => true);
  await new Promise((resolve) => open.pop()?.close(resolve));
  return port;
}

/** A TLS server that shows `right` for the names that `accepts` says, else `wrong`; `asked` gets each name in SNI. */
export async function serve(accepts: (name: string) => boolean, asked: (string | undefined)[] = []): Promise<number> {
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

/** An nginx at this port, as it is looked at. */
export function targetAt(port: number, handshakeMs = 5000, clock = systemClock) {
  const docker = { kind: "socket", socketPath: "/nowhere/docker.sock" } as const;
  const engine = createEngine({ docker, clock: systemClock, timeouts: { callMs: 1000, execMs: 1000 } });
  const container = readContainer(inspectedContainer({ id: "a" }));
  const place = { name: "nginx-1", service: "nginx", container, address: "127.0.0.1", port, wants: () => true };
  return nginx.make(place, "", createTargetTools({ engine, clock, random: Math.random, handshakeMs }));
}

/** The right certificate, as one of these names. */
export function certificateFor(...names: readonly string[]): ServedCertificate {
  const { fingerprint } = readLeaf(right.certificatePem);
  return { lineage: "a.test", identifiers: names.map(parseIdentifier), fingerprint };
}
