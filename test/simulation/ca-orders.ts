import type { HttpReply } from "../../src/ports/index.ts";
import { type CaLimits, type LimitName, limitWords } from "./ca-limits.ts";
import type { CaRegistry, KnownLeaf } from "./ca-registry.ts";
import { type CaProblem, jsonReply, refuse, Refusal } from "./ca-replies.ts";
import { readSigningRequest } from "../support/read-csr.ts";

/** An account as far as orders need it. */
export type CaAccount = { readonly url: string; readonly thumbprint: string };

/** What happens around the CA while it works. */
export type CaConditions = {
  /** Why a name can't be verified now; undefined: the proof is looked at. */
  readonly refusedProof: (name: string) => CaProblem | undefined;
  /** What the web server of a name answers to a token: a key authorization. */
  readonly shownProof: (token: string) => string | undefined;
  /** How long the CA takes for a decision now. */
  readonly decisionMs: () => number;
};

/** What the CA is asked with, all but its nonce and signature. */
export type OrderCall = {
  readonly account: CaAccount;
  readonly url: string;
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  readonly nowMs: number;
};

/** An order that was refused by one of the CA's own limits. */
export type Breach = { readonly limit: LimitName; readonly names: readonly string[]; readonly untilMs: number };

type Authorization = {
  readonly url: string;
  readonly accountUrl: string;
  readonly name: string;
  readonly token: string;
  readonly keyAuthorization: string;
  status: "pending" | "valid" | "invalid" | "deactivated";
  expiresAt: number;
  /** When a challenge that was answered is decided. */
  decideAt?: number | undefined;
  error?: CaProblem | undefined;
};

type Order = {
  readonly url: string;
  readonly accountUrl: string;
  readonly names: readonly string[];
  readonly authorizations: readonly Authorization[];
  readonly expiresAt: number;
  readonly replaces?: KnownLeaf | undefined;
  readonly isExempt: boolean;
  finishAt?: number | undefined;
  leaf?: KnownLeaf | undefined;
};

/** The parts of a CA's order desk. */
export type OrderDeskParts = {
  readonly base: string;
  readonly registry: CaRegistry;
  readonly limits: CaLimits;
  readonly conditions: CaConditions;
  /** How long a proven name needs no new proof. */
  readonly reuseMs: number;
  /** Whether an unfinished order for the same names is given again, as Let's Encrypt does. */
  readonly isOrderReused: boolean;
  /** The Retry-After of what is not decided yet, in seconds. */
  readonly pollAfterS: number | undefined;
};

/** Orders, authorizations, challenges and certificates of one CA (RFC 8555 §7.4, §7.5), and the limits it keeps. */
export class CaOrderDesk {
  readonly breaches: Breach[] = [];
  placed = 0;
  readonly #parts: OrderDeskParts;
  readonly #orders = new Map<string, Order>();
  readonly #authorizations = new Map<string, Authorization>();
  readonly #valid = new Map<string, Authorization>();
  readonly #deciding = new Set<Authorization>();
  readonly #replacements = new Map<KnownLeaf, Order>();
  #serial = 0;

  constructor(parts: OrderDeskParts) {
    this.#parts = parts;
  }

  /** Answers what an account asks of orders; undefined when the URL is none of them. Throws Refusal. */
  answer(call: OrderCall): HttpReply | undefined {
    const [, kind, id, verb] = call.url.slice(this.#parts.base.length).split("/");
    if (kind === "new-order") return this.#newOrder(call);
    if (kind === "authz") return this.#authorization(own(this.#authorizations.get(id ?? ""), call), call);
    if (kind === "challenge") return this.#challenge(own(this.#authorizations.get(id ?? ""), call), call);
    const order = kind === "order" ? own(this.#orders.get(id ?? ""), call) : undefined;
    if (!order) return undefined;
    if (verb === "finalize") return this.#finalize(order, call);
    if (verb === "certificate") return this.#certificate(order);
    const isOpen = this.#statusOf(order, call.nowMs) === "processing";
    return jsonReply(200, this.#describe(order, call), isOpen ? this.#pollAfter() : {});
  }

  /** Decides what is due; call it before anything is answered. */
  decide(nowMs: number): void {
    for (const one of this.#deciding) {
      if (one.decideAt !== undefined && one.decideAt <= nowMs) this.#decideOne(one, one.decideAt);
    }
  }

  #newOrder(call: OrderCall): HttpReply {
    const identifiers = (call.payload?.["identifiers"] ?? []) as { type: string; value: string }[];
    const names = [...new Set(identifiers.map(({ value }) => value))].sort();
    if (names.length === 0 || identifiers.some(({ type }) => type !== "dns")) refuse("malformed", "no names");
    const replaces = this.#readReplaces(call, names);
    const window = replaces && this.#parts.registry.windowOf(replaces);
    const isExempt = window !== undefined && call.nowMs >= window.start && call.nowMs < window.end;
    const reused = this.#parts.isOrderReused && !replaces ? this.#openOrder(names, call) : undefined;
    const order = reused ?? this.#createOrder({ names, replaces, isExempt }, call);
    return jsonReply(201, this.#describe(order, call), { location: order.url });
  }

  #createOrder({ names, replaces, isExempt }: Pick<Order, "names" | "replaces" | "isExempt">, call: OrderCall): Order {
    if (!isExempt) this.#checkLimits(names, call);
    this.#parts.limits.take("orders", call.account.url, call.nowMs);
    this.placed += 1;
    const url = `${this.#parts.base}/order/${this.#next()}`;
    const authorizations = names.map((name) => this.#authorizationFor(name, call));
    const expiresAt = call.nowMs + 7 * 24 * 3600_000;
    const order = { url, accountUrl: call.account.url, names, authorizations, expiresAt, replaces, isExempt };
    this.#orders.set(idOf(url), order);
    if (replaces) this.#replacements.set(replaces, order);
    return order;
  }

  #openOrder(names: readonly string[], call: OrderCall): Order | undefined {
    return [...this.#orders.values()].findLast(
      (order) =>
        order.accountUrl === call.account.url &&
        order.names.join() === names.join() &&
        ["pending", "ready"].includes(this.#statusOf(order, call.nowMs)),
    );
  }

  #readReplaces({ payload, account, nowMs }: OrderCall, names: readonly string[]): KnownLeaf | undefined {
    const id = payload?.["replaces"];
    if (typeof id !== "string") return undefined;
    const leaf = this.#parts.registry.find(id);
    if (!leaf) return refuse("malformed", `no certificate ${id}`, 404);
    if (leaf.accountUrl !== account.url) refuse("unauthorized", "requester account did not request it", 403);
    if (!leaf.names.some((name) => names.includes(name))) refuse("malformed", "no identifier in common");
    const other = this.#replacements.get(leaf);
    if (other && this.#statusOf(other, nowMs) !== "invalid")
      refuse("alreadyReplaced", "already replaced by another order", 409);
    return leaf;
  }

  #checkLimits(names: readonly string[], { account, nowMs }: OrderCall): void {
    const checks: [LimitName, string][] = [
      ["orders", account.url],
      ["exact-set", names.join()],
      ...names.map((name): [LimitName, string] => ["failed-validations", `${account.url} ${name}`]),
    ];
    for (const [limit, key] of checks) {
      const untilMs = this.#parts.limits.emptyUntil(limit, key, nowMs);
      if (untilMs === undefined) continue;
      this.breaches.push({ limit, names, untilMs });
      const retryAfter = String(Math.ceil((untilMs - nowMs) / 1000));
      const detail = limitWords(limit, key.split(" ").at(-1) ?? "", new Date(untilMs));
      throw new Refusal({ status: 429, type: "rateLimited", detail, retryAfter });
    }
  }

  #authorizationFor(name: string, { account, nowMs }: OrderCall): Authorization {
    const known = this.#valid.get(`${account.url} ${name}`);
    if (known?.status === "valid" && known.expiresAt > nowMs) return known;
    const url = `${this.#parts.base}/authz/${this.#next()}`;
    const expiresAt = nowMs + 7 * 24 * 3600_000;
    const token = `token-${this.#serial}`;
    const proof = { token, keyAuthorization: `${token}.${account.thumbprint}` };
    const made: Authorization = { url, accountUrl: account.url, name, ...proof, status: "pending", expiresAt };
    this.#authorizations.set(idOf(url), made);
    return made;
  }

  #authorization(one: Authorization, { payload }: OrderCall): HttpReply {
    if (payload?.["status"] === "deactivated" && one.status !== "invalid") {
      one.status = "deactivated";
      this.#deciding.delete(one);
    }
    const body = {
      status: one.status,
      expires: new Date(one.expiresAt).toISOString(),
      identifier: { type: "dns", value: one.name },
      challenges: [this.#describeChallenge(one)],
    };
    return jsonReply(200, body, one.status === "pending" ? this.#pollAfter() : {});
  }

  #challenge(one: Authorization, { payload, nowMs }: OrderCall): HttpReply {
    if (payload !== undefined) {
      if (one.status !== "pending") refuse("malformed", "authorization is not pending");
      if (one.decideAt === undefined) {
        one.decideAt = nowMs + this.#parts.conditions.decisionMs();
        this.#deciding.add(one);
      }
    }
    return jsonReply(200, this.#describeChallenge(one));
  }

  #decideOne(one: Authorization, decidedAt: number): void {
    this.#deciding.delete(one);
    const { refusedProof, shownProof } = this.#parts.conditions;
    const key = `${one.accountUrl} ${one.name}`;
    const isShown = shownProof(one.token) === one.keyAuthorization;
    one.error = refusedProof(one.name) ?? (isShown ? undefined : { status: 403, type: "unauthorized", detail: "404" });
    one.status = one.error ? "invalid" : "valid";
    if (one.error) this.#parts.limits.take("failed-validations", key, decidedAt);
    else {
      one.expiresAt = decidedAt + this.#parts.reuseMs;
      this.#valid.set(key, one);
    }
  }

  #finalize(order: Order, call: OrderCall): HttpReply {
    const status = this.#statusOf(order, call.nowMs);
    if (status !== "ready") refuse("orderNotReady", `the order is ${status}`, 403);
    const { key, names } = readCsr(call.payload?.["csr"]);
    if ([...names].sort().join() !== order.names.join()) refuse("badCSR", `it is for ${names.join()}`);
    const { registry, limits, conditions } = this.#parts;
    order.finishAt = call.nowMs + conditions.decisionMs() / 2;
    order.leaf = registry.sign({ names: order.names, key, accountUrl: order.accountUrl }, call.nowMs);
    if (!order.isExempt) limits.take("exact-set", order.names.join(), call.nowMs);
    return jsonReply(200, this.#describe(order, call), { location: order.url });
  }

  #certificate({ leaf }: Order): HttpReply {
    if (!leaf) return refuse("malformed", "no certificate yet", 404);
    const headers = { "content-type": "application/pem-certificate-chain" };
    return { status: 200, headers, text: leaf.pem + this.#parts.registry.issuerPem };
  }

  #statusOf({ authorizations, expiresAt, finishAt }: Order, nowMs: number) {
    if (finishAt !== undefined) return finishAt <= nowMs ? "valid" : "processing";
    if (nowMs > expiresAt) return "invalid";
    if (authorizations.some(({ status }) => status === "invalid" || status === "deactivated")) return "invalid";
    return authorizations.every(({ status }) => status === "valid") ? "ready" : "pending";
  }

  #describe(order: Order, { nowMs }: OrderCall) {
    const status = this.#statusOf(order, nowMs);
    return {
      status,
      expires: new Date(order.expiresAt).toISOString(),
      identifiers: order.names.map((value) => ({ type: "dns", value })),
      authorizations: order.authorizations.map(({ url }) => url),
      finalize: `${order.url}/finalize`,
      ...(order.replaces && { replaces: order.replaces.id }),
      ...(status === "valid" && { certificate: `${order.url}/certificate` }),
    };
  }

  #describeChallenge({ url, token, status, decideAt, error }: Authorization) {
    const pending = decideAt === undefined ? "pending" : "processing";
    return {
      type: "http-01",
      url: url.replace("/authz/", "/challenge/"),
      token,
      status: status === "valid" || status === "invalid" ? status : pending,
      ...(error && { error: { ...error, type: `urn:ietf:params:acme:error:${error.type}` } }),
    };
  }

  #pollAfter(): Record<string, string> {
    const { pollAfterS } = this.#parts;
    return pollAfterS === undefined ? {} : { "retry-after": String(pollAfterS) };
  }

  #next(): number {
    return (this.#serial += 1);
  }
}

function own<Thing extends { readonly accountUrl: string }>(thing: Thing | undefined, { account }: OrderCall): Thing {
  if (!thing) return refuse("malformed", "there is no such thing", 404);
  return thing.accountUrl === account.url ? thing : refuse("unauthorized", "it is another account's", 403);
}

function idOf(url: string): string {
  return url.split("/").at(-1) ?? "";
}

function readCsr(csr: unknown) {
  try {
    return readSigningRequest(Buffer.from(String(csr), "base64url"));
  } catch (cause) {
    return refuse("badCSR", (cause as Error).message);
  }
}
