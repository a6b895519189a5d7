import type { HttpReply } from "../../src/ports/index.ts";

/** A problem document (RFC 8555 §6.7), its type without the prefix. */
export type CaProblem = {
  readonly status: number;
  readonly type: string;
  readonly detail: string;
  /** Seconds, or a date as HTTP writes it. */
  readonly retryAfter?: string | undefined;
};

/** Thrown inside a simulated CA: the answer is this problem. */
export class Refusal extends Error {
  readonly problem: CaProblem;

  constructor(problem: CaProblem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** A refusal with the status that RFC 8555 gives most problems. */
export function refuse(type: string, detail: string, status = 400): never {
  throw new Refusal({ status, type, detail });
}

/** A reply with JSON in it. */
export function jsonReply(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return { status, headers: { "content-type": "application/json", ...headers }, text: JSON.stringify(body) };
}

/** A reply that is a problem document. */
export function problemReply({ status, type, detail, retryAfter }: CaProblem): HttpReply {
  const body = { type: `urn:ietf:params:acme:error:${type}`, detail, status };
  return jsonReply(status, body, {
    "content-type": "application/problem+json",
    ...(retryAfter === undefined ? {} : { "retry-after": retryAfter }),
  });
}

/** What stands in front of a CA says when the CA itself doesn't answer. */
export function htmlReply(status: number, words: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  const text = `<html><head><title>${words}</title></head><body><h1>${words}</h1></body></html>`;
  return { status, headers: { "content-type": "text/html", ...headers }, text };
}
