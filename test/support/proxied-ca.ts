import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createQueues } from "../../src/certificate/index.ts";
import { makeTestCertificate } from "./test-ca.ts";

/** One request that passed, and what the CA answered. */
export type PassedRequest = {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
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

/** A request on its way through the proxy. */
export type Passing = {
  readonly method: string;
  readonly path: string;
  readonly response: ServerResponse;
  /** Hands it on to the CA, once, and gives the answer, which the client doesn't see yet. */
  readonly ask: () => Promise<PassedRequest>;
};

/** Answers a request in its own way, or gives undefined to let it pass. */
export type Interference = (passing: Passing) => Promise<void> | undefined;

// Pebble 2.10 stops answering for good where requests meet: one for an authorization holds that and waits for the store; one that
// looks at authorizations (a new order, the state of an order) holds the store and waits for that; one with something new for the
// store waits, and lets no reader of it pass. So it is asked one at a time.
const inTurn = createQueues();

// It locks an order twice to show it, too, and the certificate that it is issuing may come between: who asks with a hurried clock
// would ask at that moment.
const ISSUED_WITHIN_MS = 100;

/**
 * Stands in front of a CA and counts what passes. The Host header is left as it came: Pebble makes its URLs from it, so
 * that all further requests come this way too.
 */
export async function startProxiedCa(
  directoryUrl: string,
  upstreamCaPem: string,
  interfere: Interference = () => undefined,
): Promise<ProxiedCa> {
  const { caPem, certificatePem, keyPem } = await makeTestCertificate();
  const { origin, pathname } = new URL(directoryUrl);
  const agent = new Agent({ ca: upstreamCaPem, servername: "localhost", keepAlive: true });
  const passed: PassedRequest[] = [];
  const finalizedAtMs = new Map<string, number>();
  let losing: string | undefined;
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = "", url: path = "" } = incoming;
    const ask = async () => {
      const [, step, order = ""] = path.split("/");
      const finalizedAt = step === "my-order" ? finalizedAtMs.get(order) : undefined;
      if (finalizedAt !== undefined) await sleep(Math.max(0, finalizedAt + ISSUED_WITHIN_MS - performance.now()));
      const answer = await askCa(incoming, origin, agent);
      if (step === "finalize-order") finalizedAtMs.set(order, performance.now());
      passed.push(answer);
      return answer;
    };
    const interference = interfere({ method, path, response, ask });
    if (interference !== undefined) return interference;
    const answer = await ask();
    const isLost = losing !== undefined && method === "POST" && path.includes(losing);
    if (!isLost || answer.status >= 400) return sendAnswer(response, answer);
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
        agent.destroy();
      }),
  };
}

/** Gives the client what the CA answered. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: PassedRequest): void {
  response.writeHead(status, headers).end(body);
}

async function askCa(incoming: IncomingMessage, origin: string, agent: Agent): Promise<PassedRequest> {
  const sent = Buffer.concat(await incoming.toArray());
  const { url: path = "", method = "", headers } = incoming;
  return inTurn(origin, async () => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request(new URL(path, origin), { method, headers, agent }, resolve).on("error", reject).end(sent);
    const answer = await promise;
    const body = Buffer.concat(await answer.toArray()).toString("utf8");
    return { method, path, status: answer.statusCode ?? 0, headers: answer.headers, body };
  });
}
