import { createHash } from "node:crypto";
import type { Identifier } from "../certificate/index.ts";
import type { Log } from "../ports/index.ts";
import { signerOf } from "./account-key.ts";
import { askNonce, type Ca, keepNonce } from "./ca.ts";
import { absoluteUrl, type Directory } from "./objects.ts";
import { type Deadline, throwIfLate } from "./poll.ts";
import { ACME_ERROR, isAcmeProblem, readProblem } from "./failures/problem.ts";
import { parseJson, refusalOf } from "./failures/refusal.ts";
import { repeatedly } from "./repeat.ts";
import { parseRetryAfter } from "./failures/retry-after.ts";
import { isStrayPage } from "./failures/web-page.ts";

/** Enough to make a certificate of many names quick, few enough for a CA's per-address limits and for the nonces at hand. */
export const REQUESTS_AT_ONCE = 8;

/** Who signs: the key, and the account URL once there is one (RFC 8555 §6.2: `kid`, else `jwk`). */
export type Signer = { readonly privateKeyPem: string; readonly url?: string | undefined };

/** A CA's answer to a signed request that it accepted. */
export type Answer = {
  /** The URL that was asked. */
  readonly url: string;
  /** The body's JSON, whatever kind it is said to be of; undefined where it is none. */
  readonly data: unknown;
  readonly text: string;
  /** The Location header, made absolute: the URL of what was made. Absent where it is no URL. */
  readonly location?: string | undefined;
  readonly retryAfter?: Date | undefined;
  /** The Link headers, as one. */
  readonly link?: string | undefined;
};

/** A target of a request: a URL, or the directory's field that has it. */
export type Resource = string | ((directory: Directory) => string);

/** One account's way to ask a CA, for as long as one signal lives. */
export type Connection = {
  /**
   * Sends a signed request, POST-as-GET when `payload` is null (RFC 8555 §6.3). `doing` finishes "The CA refused to …".
   * Refused nonces and failures of line or server are repeated ({@link repeatedly}), each time signed anew. Throws OperatorError,
   * a ProblemError where the CA sent a problem document, or the signal's reason. Parallel calls are safe.
   */
  post(doing: string, resource: Resource, payload: object | null): Promise<Answer>;
  /** What proves a challenge's token (RFC 8555 §8.1). */
  keyAuthorization(token: string): string;
};

/** What a connection reports to and ends with, and which order it is for. */
export type ConnectionOptions = {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** No request is begun when its time is up; OperatorError is thrown instead. */
  readonly deadline?: Deadline | undefined;
  /** What the order is for; left out outside of orders. */
  readonly identifiers?: readonly Identifier[] | undefined;
};

/** Opens a connection; nothing is asked yet. */
export async function connect(
  ca: Ca,
  { privateKeyPem, url: kid }: Signer,
  options: ConnectionOptions,
): Promise<Connection> {
  const { signal, deadline, identifiers } = options;
  const signer = await signerOf(privateKeyPem);
  const ask = async (doing: string, resource: Resource, payload: object | null): Promise<Answer> => {
    if (deadline !== undefined) throwIfLate(deadline);
    const url = typeof resource === "string" ? resource : resource(await ca.directory(signal));
    const nonce = ca.nonces.pop() ?? (await askNonce(ca, signal));
    const body = JSON.stringify(signer.createSignedBody(url, payload, { nonce, kid }));
    const reply = await ca.transport({ url, method: "POST", body, signal });
    const { location, link, "retry-after": retryAfter, "replay-nonce": fresh } = reply.headers;
    const data = parseJson(reply.text);
    // With one nonce refused, the others of that CA are probably worth nothing either; the refusal brings a good one.
    if (readProblem(data)?.type === `${ACME_ERROR}badNonce`) ca.nonces.length = 0;
    if (fresh !== undefined) keepNonce(ca, fresh);
    const now = ca.clock.now();
    const isTaken = reply.status >= 200 && reply.status < 300 && !isAcmeProblem(data) && !isStrayPage(reply);
    if (!isTaken) throw refusalOf({ url, doing, identifiers }, reply, now);
    const made = location === undefined ? undefined : absoluteUrl(location, url);
    return { url, data, text: reply.text, location: made, link, retryAfter: parseRetryAfter(retryAfter, now) };
  };
  const thumbprint = createHash("sha256").update(JSON.stringify(signer.getJwk())).digest("base64url");
  return {
    keyAuthorization: (token) => `${token}.${thumbprint}`,
    post: (doing, resource, payload) => repeatedly({ ...options, doing, ca }, () => ask(doing, resource, payload)),
  };
}
