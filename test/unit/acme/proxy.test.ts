import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { askNonce, createCa } from "../../../src/acme/ca.ts";
import { createTransport } from "../../../src/acme/transport.ts";
import { createHttp } from "../../../src/system/index.ts";
import { type HttpsServer, startHttpsServer } from "../../support/https-server.ts";
import { instantClock } from "../../support/instant-clock.ts";

let server: HttpsServer;
beforeAll(async () => {
  server = await startHttpsServer();
});
afterAll(() => server.stop());

const CA = "https://ca.test/dir";

/** What asking a CA by way of a proxy is thrown. */
async function failure(proxy: string, { url = CA, noProxy = "", timeoutMs = 5000 } = {}): Promise<unknown> {
  const proxyEnvironment = { HTTPS_PROXY: proxy, NO_PROXY: noProxy };
  const http = createHttp({ userAgent: "tests/1", caBundlePem: server.caPem, proxyEnvironment });
  const ca = createCa(url, createTransport(http, timeoutMs), instantClock());
  return askNonce(ca, new AbortController().signal).then(
    () => "it did not fail",
    (error: unknown) => error,
  );
}

/** A proxy that answers each CONNECT so; its host and port. */
function proxyThat(statusLine: string): Promise<string> {
  return listening(
    createHttpServer().on("connect", (_request, client) => void client.end(`HTTP/1.1 ${statusLine}\r\n\r\n`)),
  );
}

describe("a proxy that doesn't let us through to the CA is told as what it is, without the password:", () => {
  test.each([
    ["407 Whatever", "407 Proxy Authentication Required", "proxy", "http://user:password@"],
    ["403 Forbidden", "403 Forbidden", "ca-unreachable", "allow CONNECT to ca.test:443"],
    ["502 Bad Gateway", "502 Bad Gateway", "ca-unreachable", "can reach ca.test:443"],
    ["503 Busy", "503 Service Unavailable", "ca-unreachable", "can reach ca.test:443"],
  ])("%s", async (statusLine, told, origin, remedy) => {
    const host = await proxyThat(statusLine);
    expect(await failure(`http://user:secret@${host}`)).toMatchObject({
      code: "ACME_PROXY_FAILED",
      origin,
      message: `The CA at https://ca.test was not asked: the proxy http://${host} answered ${told} when asked for a way to ca.test:443`,
      remedy: expect.stringContaining(remedy),
    });
  });

  test("nothing listens", async () => {
    expect(await failure("http://u:secret@127.0.0.1:1")).toMatchObject({
      code: "ACME_PROXY_FAILED",
      origin: "proxy",
      message:
        "The CA at https://ca.test was not asked: the proxy http://127.0.0.1:1 refused the connection (ECONNREFUSED)",
      remedy: expect.stringContaining("HTTPS_PROXY"),
    });
    // A name of several addresses fails in another way.
    expect(await failure("http://localhost:1")).toMatchObject({ code: "ACME_PROXY_FAILED", origin: "proxy" });
  });

  test("its name doesn't resolve", async () => {
    expect(await failure("http://u:secret@proxy.invalid:3128")).toMatchObject({
      code: "ACME_PROXY_FAILED",
      origin: "proxy",
      message: expect.stringMatching(
        /the proxy http:\/\/proxy\.invalid:3128 has a name that does not resolve \((ENOTFOUND|EAI_AGAIN)\)$/,
      ),
    });
  });

  test("it is silent, hangs up, or is no proxy at all", async () => {
    const silent = await listening(createSocketServer(() => undefined));
    const deaf = await listening(createSocketServer((socket) => void socket.destroy()));
    const other = await listening(createSocketServer((socket) => void socket.end("SSH-2.0-x\r\n")));
    const patient = await listening(createSocketServer((socket) => void socket.end("SSH-2.0-x\r\n\r\n")));
    for (const [host, timeoutMs] of [
      [patient, 5000],
      [silent, 100],
      [deaf, 5000],
      [other, 5000],
    ] as const) {
      const message = expect.stringContaining(`the proxy http://${host} let nothing through to ca.test:443: `);
      const told = { code: "ACME_PROXY_FAILED", origin: "ca-unreachable", message };
      expect(await failure(`http://${host}`, { timeoutMs })).toMatchObject(told);
    }
  });
});

describe("what is not the proxy's is not told as its:", () => {
  test("a CA that NO_PROXY exempts", async () => {
    const url = "https://127.0.0.1:1/dir";
    expect(await failure("http://127.0.0.1:2", { url, noProxy: "127.0.0.1" })).toMatchObject({
      code: "ACME_UNREACHABLE",
      message: expect.stringContaining("https://127.0.0.1:1: the connection was refused"),
    });
  });

  test("a certificate that isn't trusted, and what doesn't speak TLS, behind it", async () => {
    const other = await startHttpsServer();
    onTestFinished(() => other.stop());
    const plain = await listening(createHttpServer((_request, response) => void response.end("hello")));
    expect(await failure(`http://${await tunnel()}`, { url: `${other.origin}/dir` })).toMatchObject({
      code: "ACME_UNTRUSTED",
    });
    expect(await failure(`http://${await tunnel()}`, { url: `https://${plain}/dir` })).toMatchObject({
      code: "ACME_UNREACHABLE",
      message: expect.stringContaining("does not speak TLS"),
    });
  });

  test("a failure of the CA behind it", async () => {
    server.answerWith((_request, response) => void response.writeHead(502).end());
    expect(await failure(`http://${await tunnel()}`, { url: `${server.origin}/dir` })).toMatchObject({
      code: "ACME_CA_FAILING",
    });
  });
});

/** A proxy that lets everything through. */
function tunnel(): Promise<string> {
  const proxy = createHttpServer().on("connect", (request, client) => {
    const upstream = connectSocket(Number(new URL(`http://${request.url}`).port), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    onTestFinished(() => void client.destroy());
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  return listening(proxy);
}

/** Listens on a free loopback port until the test ends; host and port. */
async function listening(one: Server): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  one.on("connection", (socket) => {
    socket.on("error", () => undefined);
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => void one.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    one.close();
  });
  return `127.0.0.1:${(one.address() as AddressInfo).port}`;
}
