import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { makeTestCertificate } from "./test-ca.ts";

/** A request as it came, with its whole body. */
export type ReceivedRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
};

/** Answers a request; one that answers nothing leaves the client waiting. */
export type Handler = (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>;

/** An HTTPS server on loopback with a private CA. */
export type HttpsServer = {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly caPem: string;
  /** All requests so far, oldest first. */
  readonly requests: readonly ReceivedRequest[];
  /** Takes another way of answering from now on. */
  answerWith(handler: Handler): void;
  /** Forgets the requests so far. */
  forget(): void;
  /** Ends at once, open connections too. */
  stop(): Promise<void>;
};

/** Starts a server that answers 404 until it is told otherwise. */
export async function startHttpsServer(): Promise<HttpsServer> {
  const { caPem, certificatePem, keyPem } = await makeTestCertificate();
  const requests: ReceivedRequest[] = [];
  let handler: Handler = (_request, response) => void response.writeHead(404).end();
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = await receive(incoming);
    requests.push(request);
    await handler(request, response);
  };
  const server = createServer({ cert: certificatePem, key: keyPem }, (incoming, response) => {
    // A client that goes away in the middle is what some tests are about.
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `https://127.0.0.1:${port}`,
    caPem,
    requests,
    answerWith: (next) => {
      handler = next;
    },
    forget: () => {
      requests.length = 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function receive(incoming: IncomingMessage): Promise<ReceivedRequest> {
  const body = (await incoming.setEncoding("utf8").toArray()).join("");
  return { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body };
}
