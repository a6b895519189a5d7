import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./fault-proxy.ts";
import { type PassedRequest, sendAnswer } from "./proxied-ca.ts";

type Headers = Readonly<Record<string, string>>;

const JSON_TYPE = { "Content-Type": "application/json" };

/** Answers with this status, body and headers. */
export function answering(status: number, body: string, headers: Headers = JSON_TYPE): Fault {
  return ({ response }) => void response.writeHead(status, headers).end(body);
}

/** Refuses with a rate limit (RFC 8555 §6.6); `retryAfter` is asked for anew each time. */
export function rateLimiting(retryAfter: () => Headers = () => ({})): Fault {
  const problem = { type: "urn:ietf:params:acme:error:rateLimited", detail: "too many requests", status: 429 };
  const type = { "Content-Type": "application/problem+json" };
  return (passing) => answering(429, JSON.stringify(problem), { ...type, ...retryAfter() })(passing);
}

/** Never answers. */
export const hanging: Fault = () => undefined;

/** Sends half of the CA's answer, and then nothing more. */
export const hangingInTheBody: Fault = async (passing) => {
  const { status, headers, body } = wholeAnswer(await passing.ask());
  passing.response.writeHead(status, headers);
  passing.response.write(body.slice(0, body.length / 2) || " ");
};

/** Sends a byte of a header now and then, so that the line is never silent for long. */
export const dripping: Fault = ({ response }) => {
  async function* drops() {
    yield "HTTP/1.1 200 OK\r\nX-Filler: ";
    for (;;) {
      yield "x";
      await sleep(20);
    }
  }
  return pour(response.socket, drops());
};

/** Closes the connection without a word; the CA has not been asked. */
export const cutting: Fault = ({ response }) => void response.destroy();

/** Closes the connection in the middle of the CA's answer. */
export const cuttingInTheBody: Fault = async (passing) => {
  await hangingInTheBody(passing);
  // What has been written must be on its way first.
  await sleep(10);
  passing.response.destroy();
};

/** Answers as the CA does, but when `lateMs` have passed. */
export function answeringLate(lateMs: number): Fault {
  return async ({ ask, response }) => {
    const answer = await ask();
    await sleep(lateMs);
    sendAnswer(response, answer);
  };
}

/** Answers as the CA does, twice on the same connection. */
export const answeringTwice: Fault = async ({ ask, response }) => {
  const { status, headers, body } = wholeAnswer(await ask());
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  const answer = `HTTP/1.1 ${status} Answer\r\n${lines.join("")}\r\n${body}`;
  response.socket?.write(answer + answer);
};

/** Passes the CA's answer on with other headers; an empty value leaves one out. */
export function withHeaders(changed: Headers): Fault {
  return async ({ ask, response }) => {
    const answer = await ask();
    const headers = Object.entries({ ...answer.headers, ...changed }).filter(([, value]) => value !== "");
    sendAnswer(response, { ...answer, headers: Object.fromEntries(headers) });
  };
}

/** Writes what is no HTTP. */
export const babbling: Fault = ({ response }) => void response.socket?.end("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");

/** A fault that sends more than anybody wants; what a client doesn't read stays with the sender. */
export type Flood = { readonly fault: Fault; readonly sentBytes: () => number };

const BLOCK = "x".repeat(64 * 1024);

/** Sends a body without end, under these headers; with `Transfer-Encoding: chunked` it is sent so. To a HEAD it sends none. */
export function floodingBody(headers: Headers): Flood {
  const isChunked = headers["Transfer-Encoding"] === "chunked";
  const block = isChunked ? `${BLOCK.length.toString(16)}\r\n${BLOCK}\r\n` : BLOCK;
  const lines = Object.entries({ ...JSON_TYPE, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const { fault, sentBytes } = flooding(`HTTP/1.1 200 OK\r\n${lines.join("")}\r\n`, block);
  const withoutBody = answering(200, "", headers);
  return { fault: (passing) => (passing.method === "HEAD" ? withoutBody : fault)(passing), sentBytes };
}

/** Sends headers without end. */
export function floodingHeaders(): Flood {
  return flooding("HTTP/1.1 200 OK\r\n", `X-Filler: ${"x".repeat(1000)}\r\n`);
}

/** Sends interim answers without end (RFC 9110 §15.2). */
export function floodingInterimAnswers(): Flood {
  return flooding("", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100));
}

function flooding(head: string, block: string): Flood {
  let sentBytes = 0;
  async function* source() {
    yield head;
    for (;;) {
      yield block;
      sentBytes += block.length;
    }
  }
  return { fault: ({ response }) => pour(response.socket, source()), sentBytes: () => sentBytes };
}

/** Writes until there is no more, or the other side has had enough. */
async function pour(to: NodeJS.WritableStream | null, source: AsyncIterable<string>): Promise<void> {
  if (to !== null) await pipeline(Readable.from(source), to).catch(() => undefined);
}

/** An answer that says how long it is. */
function wholeAnswer({ headers, ...answer }: PassedRequest): PassedRequest {
  const { "transfer-encoding": _chunked, ...others } = headers;
  return { ...answer, headers: { ...others, "content-length": String(Buffer.byteLength(answer.body)) } };
}
