import { describe, expect, test } from "vitest";
import type { HttpRequest } from "../../../src/ports/index.ts";
import { createHttp } from "../../../src/system/index.ts";
import { serve } from "../../support/http-server.ts";

const http = createHttp({ userAgent: "tests/1" });
const live = () => new AbortController().signal;
const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  url,
  method: "GET",
  headers: {},
  timeoutMs: 30_000,
  ...more,
});

describe("a request", () => {
  test("over plain http carries any method, headers and body, and brings back whatever status there is", async () => {
    const origin = await serve(async (request, response) => {
      const body = (await request.setEncoding("utf8").toArray()).join("");
      const { method, headers } = request;
      response.writeHead(422, { "X-Two": ["a", "b"] }).end(JSON.stringify({ method, headers, body }));
    });
    const headers = { Authorization: "Bearer one", "Content-Type": "application/json" };
    const reply = await http(get(`${origin}/x`, { method: "DELETE", headers, body: "ü" }), live());
    expect(reply).toMatchObject({ status: 422, headers: { "x-two": "a, b" } });
    expect(JSON.parse(reply.text)).toMatchObject({
      method: "DELETE",
      body: "ü",
      headers: {
        "user-agent": "tests/1",
        authorization: "Bearer one",
        "content-type": "application/json",
        "content-length": "2",
      },
    });
  });

  test("follows no redirect", async () => {
    const origin = await serve((_request, response) => void response.writeHead(302, { Location: "/y" }).end());
    expect(await http(get(origin), live())).toMatchObject({ status: 302, headers: { location: "/y" } });
  });

  test("over plain http goes through the proxy that the environment names", async () => {
    const proxy = await serve((request, response) => void response.end(`asked for ${request.url ?? ""}`));
    const proxied = createHttp({ userAgent: "tests/1", proxyEnvironment: { HTTP_PROXY: proxy } });
    expect((await proxied(get("http://dns.test/zone"), live())).text).toBe("asked for http://dns.test/zone");
  });

  test("gets no more than it takes", async () => {
    const origin = await serve((_request, response) => void response.end("12345678"));
    expect((await http(get(origin, { longestBodyBytes: 8 }), live())).text).toBe("12345678");
    const tooLong = { code: "ERR_HTTP_TOO_LONG", message: "it is longer than 7 bytes" };
    await expect(http(get(origin, { longestBodyBytes: 7 }), live())).rejects.toMatchObject(tooLong);
  });

  test("that is not answered says so when its time is up", async () => {
    const origin = await serve(() => undefined);
    await expect(http(get(origin, { timeoutMs: 50 }), live())).rejects.toThrow("no complete answer within 0.05 s");
  });

  test("ends with the signal's own reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the daemon stops");
    const origin = await serve(() => controller.abort(reason));
    await expect(http(get(origin), controller.signal)).rejects.toBe(reason);
  });

  test.each(["nothing", "ftp://127.0.0.1/", "https://127.0.0.1:1/"])("to %s is an error that says why", async (url) => {
    await expect(http(get(url), live())).rejects.toMatchObject({ code: expect.any(String), message: /./ });
  });
});
