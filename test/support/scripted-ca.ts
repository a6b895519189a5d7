import type { ServerResponse } from "node:http";
import { type HttpsServer, type ReceivedRequest, startHttpsServer } from "./https-server.ts";

/** One answer to a signed request: status, headers, and a body that is sent as JSON unless it is text. */
export type ScriptedAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};

/** What a test makes of a request. */
export type Script<T> = (request: ReceivedRequest, count: number) => ScriptedAnswer | "hang" | T;

/** An HTTPS server with an ACME directory and fresh nonces, whose answers a test decides: for faults no real CA shows. */
export type ScriptedCa = HttpsServer & {
  readonly directoryUrl: string;
  /** Adds fields to the directory from now on, beside the three that every CA has; URLs in it are paths made absolute. */
  offer(directory: Readonly<Record<string, unknown>>): void;
  /** Answers each POST from now on; `count` is 1 for the first one. */
  answerPosts(answer: Script<never>): void;
  /** Answers each GET and HEAD from now on, as {@link answerPosts}; undefined leaves directory and nonces as they are. */
  answerUnsigned(answer: Script<undefined>): void;
  /** The POSTs so far: their path, the nonce each was signed with, and what was sent. */
  posts(): readonly SignedPost[];
};

/** A POST, taken apart. */
export type SignedPost = {
  readonly path: string;
  readonly nonce: string;
  readonly signed: string;
  /** Undefined for a POST-as-GET. */
  readonly payload: unknown;
};

/** Starts a scripted CA. Every answer carries a new nonce. */
export async function startScriptedCa(): Promise<ScriptedCa> {
  const server = await startHttpsServer();
  let nonces = 0;
  let offered: Readonly<Record<string, unknown>> = {};
  const scripts = { post: counted<never>(() => ({ status: 200 })), unsigned: counted<undefined>(() => undefined) };
  const absolute = (fields: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === "string" ? `${server.origin}/${value}` : value,
      ]),
    );
  const byItself = (path: string): ScriptedAnswer => {
    if (path !== "/directory") return { status: 200 };
    return { status: 200, body: absolute({ ...DIRECTORY, ...offered }) };
  };
  server.answerWith((request, response) => {
    const answer =
      request.method === "POST" ? scripts.post(request) : (scripts.unsigned(request) ?? byItself(request.path));
    if (answer === "hang") return;
    nonces += 1;
    send(response, { ...answer, headers: { "Replay-Nonce": `nonce-${nonces}`, ...answer.headers } });
  });
  return {
    ...server,
    directoryUrl: `${server.origin}/directory`,
    offer: (directory) => {
      offered = directory;
    },
    answerPosts: (script) => {
      scripts.post = counted(script);
    },
    answerUnsigned: (script) => {
      scripts.unsigned = counted(script);
    },
    posts: () => readPosts(server.requests),
  };
}

const DIRECTORY = { newNonce: "newNonce", newAccount: "newAccount", newOrder: "newOrder" };

function counted<T>(script: Script<T>) {
  let count = 0;
  return (request: ReceivedRequest) => {
    count += 1;
    return script(request, count);
  };
}

// A header, Date and Content-Type too, can be made wrong, or left out by an empty value.
function send(response: ServerResponse, { status, headers = {}, body }: ScriptedAnswer): void {
  const type = typeof body === "string" ? "text/html" : "application/json";
  response.sendDate = headers["Date"] !== "";
  const told = Object.entries({ "Content-Type": type, ...headers }).filter(([, value]) => value !== "");
  response.writeHead(status, Object.fromEntries(told));
  response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
}

function readPosts(requests: readonly ReceivedRequest[]): SignedPost[] {
  return requests
    .filter(({ method }) => method === "POST")
    .map(({ path, body }) => {
      const jws = JSON.parse(body) as { protected: string; payload: string; signature: string };
      const decode = (text: string): unknown => JSON.parse(Buffer.from(text, "base64url").toString());
      const { nonce } = decode(jws.protected) as { nonce: string };
      return { path, nonce, signed: jws.signature, payload: jws.payload === "" ? undefined : decode(jws.payload) };
    });
}

/** A problem document of the given type (RFC 8555 §6.7). */
export function problemAnswer(status: number, type: string, detail: string, headers = {}): ScriptedAnswer {
  return {
    status,
    headers: { "Content-Type": "application/problem+json", ...headers },
    body: { type: `urn:ietf:params:acme:error:${type}`, detail, status },
  };
}
