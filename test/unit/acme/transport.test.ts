import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { CaUnreachableError, UnexpectedAnswerError } from "../../../src/acme/index.ts";
import { createTransport } from "../../../src/acme/transport.ts";
import { createHttp, type HttpOptions } from "../../../src/system/index.ts";
import { type HttpsServer, startHttpsServer } from "../../support/https-server.ts";

let server: HttpsServer;
beforeAll(async () => {
  server = await startHttpsServer();
});
afterEach(() => {
  server.answerWith((_request, response) => void response.writeHead(404).end());
  server.forget();
});
afterAll(() => server.stop());

function transport({ requestTimeoutMs = 5000, ...options }: Partial<HttpOptions> & { requestTimeoutMs?: number } = {}) {
  const defaults = { userAgent: "cert-sidecar/1.2.3 (+https://x.test)", caBundlePem: server.caPem };
  return createTransport(createHttp({ ...defaults, ...options }), requestTimeoutMs);
}

const live = () => new AbortController().signal;
const get = (url: string, signal = live()) => ({ url, method: "GET", signal }) as const;

/** The error that a request ends with. */
async function failure(request: Promise<unknown>): Promise<Error> {
  const thrown = await request.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  return thrown instanceof Error ? thrown : new Error(`no Error was thrown: ${String(thrown)}`);
}

describe("a request to a CA", () => {
  test("names our product, and its reply is given whole whatever its status", async () => {
    server.answerWith((_request, response) => void response.writeHead(418, { "Retry-After": "7" }).end("tea"));
    const reply = await transport()({ url: `${server.origin}/x`, method: "POST", body: '{"a":"ü"}', signal: live() });
    expect(reply).toMatchObject({ status: 418, text: "tea" });
    expect(reply.headers["retry-after"]).toBe("7");
    const [request] = server.requests;
    expect(request?.body).toBe('{"a":"ü"}');
    expect(request?.headers).toMatchObject({
      "user-agent": "cert-sidecar/1.2.3 (+https://x.test)",
      "content-type": "application/jose+json",
    });
  });

  test("follows no redirect", async () => {
    server.answerWith((_request, response) => void response.writeHead(307, { Location: "/elsewhere" }).end());
    const reply = await transport()(get(`${server.origin}/x`));
    expect(reply.status).toBe(307);
    expect(server.requests.map(({ path }) => path)).toEqual(["/x"]);
  });

  test("over plain http is refused before anything is sent", async () => {
    const error = await failure(transport()(get("http://127.0.0.1:1/dir")));
    expect(error).toMatchObject({ code: "ACME_PLAIN_HTTP" });
    expect(error.message).toContain("http://127.0.0.1:1/dir");
    expect(error).toMatchObject({ remedy: expect.stringContaining("whoever runs the CA") });
  });

  test("to what is no URL says so", async () => {
    expect(await failure(transport()(get("/relative")))).toBeInstanceOf(UnexpectedAnswerError);
  });

  test("goes through the proxy that the environment names", async () => {
    const asked: string[] = [];
    const proxy = createHttpServer().on("connect", (request, client) => {
      asked.push(request.url ?? "");
      const upstream = connectSocket(Number(new URL(server.origin).port), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.pipe(client).pipe(upstream);
      });
      onTestFinished(() => void client.destroy());
      client.on("error", () => upstream.destroy());
      upstream.on("error", () => client.destroy());
    });
    const port = await listening(proxy);
    const proxied = transport({ proxyEnvironment: { HTTPS_PROXY: `http://127.0.0.1:${port}` } });
    expect((await proxied(get(`${server.origin}/x`))).status).toBe(404);
    expect(asked).toEqual([new URL(server.origin).host]);
  });
});

describe("trust", () => {
  test("a CA with a private root is refused, with the setting that helps", async () => {
    const error = await failure(transport({ caBundlePem: undefined })(get(server.origin)));
    expect(error).toMatchObject({ code: "ACME_UNTRUSTED", remedy: expect.stringContaining("CERTBOT_CA_BUNDLE") });
    expect(error.message).toContain(server.origin);
    expect(server.requests).toEqual([]);
  });

  test("a bundle opens the door to its own root only", async () => {
    const other = await startHttpsServer();
    onTestFinished(() => other.stop());
    expect(await failure(transport()(get(other.origin)))).toMatchObject({ code: "ACME_UNTRUSTED" });
    expect((await transport()(get(server.origin))).status).toBe(404);
  });

  test("is not asked for when an operator has turned it off", async () => {
    const reply = await transport({ caBundlePem: undefined, verifyTls: false })(get(server.origin));
    expect(reply.status).toBe(404);
  });
});

describe("a CA that doesn't answer", () => {
  test("because nothing listens there", async () => {
    const port = await listening(createSocketServer(), { thenClose: true });
    const error = await failure(transport()(get(`https://127.0.0.1:${port}/dir`)));
    expect(error).toBeInstanceOf(CaUnreachableError);
    expect(error.message).toContain(`https://127.0.0.1:${port}: the connection was refused`);
  });

  test("because its name doesn't resolve", async () => {
    const error = await failure(transport()(get("https://ca.invalid/dir")));
    expect(error).toBeInstanceOf(CaUnreachableError);
    expect(error.message).toContain("the name ca.invalid does not resolve");
  });

  test("because it hangs, ends at the time limit", async () => {
    server.answerWith(() => undefined);
    const error = await failure(transport({ requestTimeoutMs: 150 })(get(server.origin)));
    expect(error).toBeInstanceOf(CaUnreachableError);
    expect(error.message).toContain("no complete answer within 0.15 s");
  });

  test("because it stops in the middle of a body, ends at the time limit too", async () => {
    server.answerWith((_request, response) => void response.writeHead(200).write("{"));
    const error = await failure(transport({ requestTimeoutMs: 150 })(get(server.origin)));
    expect(error.message).toContain("no complete answer within 0.15 s");
  });

  test("because the line breaks", async () => {
    server.answerWith((_request, response) => void response.destroy());
    expect(await failure(transport()(get(server.origin)))).toBeInstanceOf(CaUnreachableError);
  });

  test("because something without TLS listens at its port", async () => {
    const port = await listening(createHttpServer((_request, response) => void response.end("hello")));
    const error = await failure(transport()(get(`https://127.0.0.1:${port}/dir`)));
    expect(error).toBeInstanceOf(CaUnreachableError);
    expect(error.message).toContain("does not speak TLS");
  });
});

describe("limits", () => {
  test("an endless body is cut at 1 MiB", async () => {
    server.answerWith((_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on("drain", more).writeHead(200);
      more();
    });
    const error = await failure(transport()(get(server.origin)));
    expect(error).toBeInstanceOf(UnexpectedAnswerError);
    expect(error.message).toContain("longer than 1048576 bytes");
  });

  test("an abort ends a request in the middle, with the signal's own reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the daemon stops");
    server.answerWith(() => controller.abort(reason));
    expect(await failure(transport()(get(server.origin, controller.signal)))).toBe(reason);
    server.forget();
    expect(await failure(transport()(get(server.origin, controller.signal)))).toBe(reason);
    expect(server.requests).toEqual([]);
  });
});

type Listening = ReturnType<typeof createSocketServer> | ReturnType<typeof createHttpServer>;

/** Listens on a free loopback port until the test ends; or frees it at once, so that nothing listens there. */
async function listening(one: Listening, { thenClose = false } = {}): Promise<number> {
  await new Promise<void>((resolve) => void one.listen(0, "127.0.0.1", resolve));
  const { port } = one.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      one.close(() => resolve());
      if ("closeAllConnections" in one) one.closeAllConnections();
    });
  if (thenClose) await close();
  else onTestFinished(close);
  return port;
}
