import type { KeyObject } from "node:crypto";
import type { HttpReply, HttpRequest } from "../../src/ports/index.ts";
import { CaLimits } from "./ca-limits.ts";
import { CaOrderDesk, type CaConditions, type OrderCall } from "./ca-orders.ts";
import { CaRegistry } from "./ca-registry.ts";
import { jsonReply, problemReply, refuse, Refusal } from "./ca-replies.ts";
import type { Draws } from "./draws.ts";
import { keyOf, readSignedRequest, thumbprintOf, type SignedRequest } from "./signed-request.ts";

/** How one simulated CA is. */
export type SimulatedCaOptions = {
  readonly directoryUrl: string;
  readonly kind: "production" | "staging";
  readonly startMs: number;
  readonly lifeMs: number;
  readonly conditions: CaConditions;
  readonly draws: Draws;
};

type Account = {
  readonly url: string;
  readonly key: KeyObject;
  readonly thumbprint: string;
  status: "valid" | "deactivated";
};

const MOST_NONCES = 1000;
// Signatures cost more than all else here; a client that signs wrongly is found out by a few.
const VERIFIED_EACH = 4;
const HOUR = 3600_000;
const DAY = 24 * HOUR;

/** A CA in this process that speaks ACME (RFC 8555, RFC 9773): it checks what it is sent as a real one does. */
export class SimulatedCa {
  readonly directoryUrl: string;
  readonly registry: CaRegistry;
  readonly orders: CaOrderDesk;
  /** Scheme and host of all its URLs. */
  readonly base: string;
  readonly #nonces = new Set<string>();
  readonly #accounts = new Map<string, Account>();
  readonly #askAgainMs: number;
  #serial = 0;
  /** Renewal information that was asked for in spite of RFC 9773 §4.3: never after expiry. */
  askedAfterExpiry = 0;
  hasRenewalInfo = true;

  constructor({ directoryUrl, kind, startMs, lifeMs, conditions, draws }: SimulatedCaOptions) {
    this.directoryUrl = directoryUrl;
    this.base = new URL(directoryUrl).origin;
    this.#askAgainMs = draws.chance(0.05) ? 6 * HOUR : DAY;
    this.registry = new CaRegistry(lifeMs, startMs, draws);
    this.orders = new CaOrderDesk({
      base: this.base,
      registry: this.registry,
      limits: new CaLimits(kind),
      conditions,
      reuseMs: draws.pick([0, 7 * HOUR, 30 * DAY]),
      isOrderReused: draws.chance(0.5),
      pollAfterS: draws.pick([undefined, 5, 10, 10]),
    });
  }

  /** What it answers to a request that gets there at `nowMs`. */
  answer(request: HttpRequest, nowMs: number): HttpReply {
    this.orders.decide(nowMs);
    const reply = this.#answer(request, nowMs);
    const hasNonce = request.method === "POST" || request.url.endsWith("/new-nonce");
    const headers = { date: new Date(nowMs).toUTCString(), ...(hasNonce && { "replay-nonce": this.#mintNonce() }) };
    return { ...reply, headers: { ...headers, ...reply.headers } };
  }

  /** What it answers when it takes a nonce for a wrong one. */
  rejectNonce(nowMs: number): HttpReply {
    const reply = problemReply({ status: 400, type: "badNonce", detail: "this nonce is not known" });
    const headers = { date: new Date(nowMs).toUTCString(), "replay-nonce": this.#mintNonce() };
    return { ...reply, headers: { ...headers, ...reply.headers } };
  }

  /** No nonce that it has given so far is good any more. */
  forgetNonces(): void {
    this.#nonces.clear();
  }

  /** From now on no account is known any more, or each has been deactivated. */
  dropAccounts(how: "deleted" | "deactivated"): void {
    if (how === "deleted") return this.#accounts.clear();
    for (const account of this.#accounts.values()) account.status = "deactivated";
  }

  #answer(request: HttpRequest, nowMs: number): HttpReply {
    try {
      return request.method === "POST" ? this.#post(request, nowMs) : this.#get(request.url, nowMs);
    } catch (thrown) {
      if (thrown instanceof Refusal) return problemReply(thrown.problem);
      throw thrown;
    }
  }

  #get(url: string, nowMs: number): HttpReply {
    const base = this.base;
    if (url === this.directoryUrl) return jsonReply(200, this.#directory());
    if (url === `${base}/new-nonce`) return { status: 200, headers: {}, text: "" };
    if (!this.hasRenewalInfo || !url.startsWith(`${base}/renewal-info/`))
      return refuse("malformed", "there is no such thing", 404);
    const leaf = this.registry.find(url.slice(`${base}/renewal-info/`.length));
    if (!leaf) return refuse("malformed", "no such certificate", 404);
    if (nowMs > leaf.notAfter) this.askedAfterExpiry += 1;
    const { start, end } = this.registry.windowOf(leaf);
    const suggestedWindow = { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
    return jsonReply(200, { suggestedWindow }, { "retry-after": String(this.#askAgainMs / 1000) });
  }

  #post({ url, body }: HttpRequest, nowMs: number): HttpReply {
    const request = readBody(body);
    if (request.url !== url) refuse("malformed", "the signed url is another one");
    if (!this.#nonces.delete(request.nonce)) refuse("badNonce", "the nonce is not known, or was used before");
    if (url === `${this.base}/new-account`) return this.#newAccount(request);
    const account = this.#accounts.get(request.kid ?? "");
    if (!account) return refuse("accountDoesNotExist", `no account ${request.kid ?? ""}`);
    const isChecked = this.#serial % VERIFIED_EACH === 0;
    if (isChecked && !request.isSignedBy(account.key)) refuse("unauthorized", "the signature is not right", 403);
    if (account.status !== "valid") refuse("unauthorized", `the account is ${account.status}`, 403);
    if (url === account.url) return jsonReply(200, { status: account.status });
    const call: OrderCall = { account, url, payload: request.payload, nowMs };
    return this.orders.answer(call) ?? refuse("malformed", "there is no such thing", 404);
  }

  #newAccount({ jwk, isSignedBy, payload }: SignedRequest): HttpReply {
    if (!jwk) return refuse("malformed", "the key is missing");
    const key = keyOf(jwk);
    if (!isSignedBy(key)) refuse("unauthorized", "the signature is not right", 403);
    const thumbprint = thumbprintOf(jwk);
    const known = [...this.#accounts.values()].find((account) => account.thumbprint === thumbprint);
    if (known?.status === "deactivated") refuse("unauthorized", "the account is deactivated", 403);
    if (known) return jsonReply(200, { status: known.status }, { location: known.url });
    if (payload?.["onlyReturnExisting"]) refuse("accountDoesNotExist", "no account with this key");
    if (payload?.["termsOfServiceAgreed"] !== true) refuse("userActionRequired", "agree first", 403);
    const url = `${this.base}/account/${(this.#serial += 1)}`;
    this.#accounts.set(url, { url, key, thumbprint, status: "valid" });
    return jsonReply(201, { status: "valid" }, { location: url });
  }

  #directory() {
    const at = (path: string) => `${this.base}/${path}`;
    return {
      newNonce: at("new-nonce"),
      newAccount: at("new-account"),
      newOrder: at("new-order"),
      revokeCert: at("revoke-cert"),
      keyChange: at("key-change"),
      ...(this.hasRenewalInfo && { renewalInfo: at("renewal-info") }),
      meta: { termsOfService: at("terms"), website: at(""), caaIdentities: ["letsencrypt.org"] },
    };
  }

  #mintNonce(): string {
    this.#serial += 1;
    const nonce = `nonce-${this.#serial}`;
    this.#nonces.add(nonce);
    const [oldest] = this.#nonces;
    if (this.#nonces.size > MOST_NONCES && oldest !== undefined) this.#nonces.delete(oldest);
    return nonce;
  }
}

function readBody(body: string | undefined): SignedRequest {
  try {
    return readSignedRequest(body ?? "");
  } catch (cause) {
    return refuse("malformed", (cause as Error).message);
  }
}
