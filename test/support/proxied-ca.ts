import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { makeTestCertificate } from "./test-ca.ts";

/** One request that passed, and what the CA answered. */
export type PassedRequest = {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly body: string;
};

/** A CA behind a proxy that counts. */
export type ProxiedCa = {
  /** The CA's directory by way of the proxy. */
  readonly directoryUrl: string;
  /** Signs the proxy's HTTPS. */
  readonly caPem: string;
  readonly passed: readonly PassedRequest[];
  /** Forgets what has passed. */
  forget(): void;
  /** Loses the CA's next answer to a POST whose path holds `part`: the CA has acted, and the client doesn't know. */
  loseAnswer(part: string): void;
  stop(): Promise<void>;
};

/**
 * Stands in front of a CA and counts what passes. The Host header is left as it came: Pebble makes its URLs from it, so
 * that all further requests come this way too.
 */
export async function startProxiedCa(directoryUrl: string, upstreamCaPem: string): Promise<ProxiedCa> {
  const { caPem, certificatePem, keyPem } = await makeTestCertificate();
  const { origin, pathname } = new URL(directoryUrl);
  const passed: PassedRequest[] = [];
  let losing: string | undefined;
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const answer = await askCa(incoming, { origin, ca: upstreamCaPem });
    passed.push(answer);
    const isLost = losing !== undefined && answer.method === "POST" && answer.path.includes(losing);
    if (!isLost || answer.status >= 400) return void response.writeHead(answer.status, answer.headers).end(answer.body);
    losing = undefined;
    response.destroy();
  };
  const server = createServer({ cert: certificatePem, key: keyPem }, (incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    directoryUrl: `https://127.0.0.1:${port}${pathname}`,
    caPem,
    passed,
    forget: () => {
      passed.length = 0;
    },
    loseAnswer: (part) => {
      losing = part;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function askCa(incoming: IncomingMessage, upstream: { readonly origin: string; readonly ca: string }) {
  const sent = Buffer.concat(await incoming.toArray());
  const path = incoming.url ?? "";
  const method = incoming.method ?? "";
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = {
    method,
    headers: incoming.headers,
    ca: upstream.ca,
    agent: false,
    servername: "localhost",
  } as const;
  request(new URL(path, upstream.origin), options, resolve).on("error", reject).end(sent);
  const answer = await promise;
  const body = Buffer.concat(await answer.toArray()).toString("utf8");
  return { method, path, status: answer.statusCode ?? 0, headers: answer.headers, body };
}
