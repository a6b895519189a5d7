import type { ServerResponse } from "node:http";
import { type HttpsServer, type ReceivedRequest, startHttpsServer } from "./https-server.ts";

/** One answer to a signed request: status, headers, and a body that is sent as JSON unless it is text. */
export type ScriptedAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};

/** An HTTPS server with an ACME directory and fresh nonces, whose answers to POSTs a test decides: for faults no real CA shows. */
export type ScriptedCa = HttpsServer & {
  readonly directoryUrl: string;
  /** Answers each POST from now on; `count` is 1 for the first one. */
  answerPosts(answer: (request: ReceivedRequest, count: number) => ScriptedAnswer | "hang"): void;
  /** The POSTs so far: their path and the nonce each was signed with. */
  posts(): readonly { readonly path: string; readonly nonce: string; readonly signed: string }[];
};

/** Starts a scripted CA. Every answer carries a new nonce. */
export async function startScriptedCa(): Promise<ScriptedCa> {
  const server = await startHttpsServer();
  let nonces = 0;
  const directory = Object.fromEntries(
    ["newNonce", "newAccount", "newOrder"].map((name) => [name, `${server.origin}/${name}`]),
  );
  const send = (response: ServerResponse, { status, headers, body }: ScriptedAnswer) => {
    nonces += 1;
    const type = typeof body === "string" ? "text/html" : "application/json";
    response.writeHead(status, { "Replay-Nonce": `nonce-${nonces}`, "Content-Type": type, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
  };
  const answerPosts: ScriptedCa["answerPosts"] = (answer) => {
    let count = 0;
    server.answerWith((request, response) => {
      if (request.path === "/directory") return send(response, { status: 200, body: directory });
      if (request.method !== "POST") return send(response, { status: 200 });
      count += 1;
      const scripted = answer(request, count);
      if (scripted !== "hang") send(response, scripted);
    });
  };
  answerPosts(() => ({ status: 200 }));
  return {
    ...server,
    directoryUrl: `${server.origin}/directory`,
    answerPosts,
    posts: () => readPosts(server.requests),
  };
}

function readPosts(requests: readonly ReceivedRequest[]) {
  return requests
    .filter(({ method }) => method === "POST")
    .map(({ path, body }) => {
      const { protected: header, signature } = JSON.parse(body) as { protected: string; signature: string };
      const { nonce } = JSON.parse(Buffer.from(header, "base64url").toString()) as { nonce: string };
      return { path, nonce, signed: signature };
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
