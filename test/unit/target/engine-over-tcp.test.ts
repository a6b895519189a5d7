import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { DockerEngine } from "../../../src/ports/index.ts";
import { createEngine } from "../../../src/target/docker/engine.ts";
import { systemClock } from "../../../src/system/index.ts";
import { answer } from "../../support/fake-engine.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";

const NEVER = new AbortController().signal;

const asked: string[] = [];
const LABELS = { "cert-sidecar.port": "8443" };

const listener: RequestListener = (request, response) => {
  asked.push(request.url ?? "");
  answer(response, { Config: { Labels: LABELS } });
};

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  asked.length = 0;
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function listen(server: Server, address = "127.0.0.1"): Promise<number> {
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
  server.listen(0, address);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function ask(docker: DockerEngine) {
  return createEngine({ docker, clock: systemClock, timeouts: { callMs: 5000, execMs: 5000 } }).imageLabels(
    "nginx",
    NEVER,
  );
}

test("an engine is reached by tcp, with no API version in the path", async () => {
  const port = await listen(createHttpServer(listener));
  expect(await ask({ kind: "tcp", host: "127.0.0.1", port })).toEqual(LABELS);
  expect(await ask({ kind: "tcp", host: "localhost", port })).toEqual(LABELS);
  expect(asked).toEqual(["/images/nginx/json", "/images/nginx/json"]);
});

test("an engine is reached by tcp over IPv6", async () => {
  const port = await listen(createHttpServer(listener), "::1");
  expect(await ask({ kind: "tcp", host: "::1", port })).toEqual(LABELS);
});

test("an engine is reached by TLS when ca.pem signs it, and refused otherwise", async () => {
  const { caPem, certificatePem: cert, keyPem: key } = await makeTestCertificate();
  const port = await listen(createHttpsServer({ cert, key }, listener));
  const certPath = await mkdtemp(join(tmpdir(), "docker-cert-"));
  cleanUps.push(() => rm(certPath, { recursive: true }));
  const address = { kind: "tcp", host: "localhost", port, certPath } as const;
  await writeFile(join(certPath, "ca.pem"), (await makeTestCertificate()).caPem);
  const untrusted = ask(address);
  await expect(untrusted).rejects.toMatchObject({
    code: "DOCKER_HOST_UNUSABLE",
    remedy: expect.stringContaining("ca.pem"),
  });
  await expect(untrusted).rejects.toThrow(/https:\/\/localhost:\d+ is not trusted: .*certificate/);
  await writeFile(join(certPath, "ca.pem"), caPem);
  expect(await ask(address)).toEqual(LABELS);
});

test("an engine that nobody answers for at its address is unreachable", async () => {
  const server = createHttpServer(listener);
  const port = await listen(server);
  await cleanUps.pop()?.();
  for (const host of ["127.0.0.1", "localhost", "no-such-host.invalid"]) {
    await expect(ask({ kind: "tcp", host, port })).rejects.toMatchObject({ code: "DOCKER_UNREACHABLE" });
  }
});
