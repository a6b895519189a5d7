import {
  OperatorError,
  type FailureOrigin,
  type RenewalInfoAnswer,
  type RetryRule,
  type WaitScope,
} from "../../src/certificate/index.ts";
import type {
  AccountRequest,
  CertificateAuthority,
  IssuedCertificate,
  IssueRequest,
  OpenOrder,
  CollectRequest,
} from "../../src/reconcile/index.ts";
import type { Log } from "../../src/ports/index.ts";
import { issueForTest } from "./issued-certificate.ts";

/** A failure of the CA; with `notBefore` it has asked for patience. */
export class CaFailure extends OperatorError {
  readonly code = "TEST_CA_FAILED";
  readonly remedy = "Wait.";
  override readonly retry: RetryRule;
  override readonly origin: FailureOrigin;

  constructor(
    notBefore?: Date,
    { scope, origin, isOurs }: { scope?: WaitScope | undefined; origin?: FailureOrigin; isOurs?: boolean } = {},
  ) {
    super("the CA says no");
    this.retry = notBefore ? { notBefore, scope, isOurs } : "next-run";
    this.origin = origin ?? "ca-refused";
  }
}

/** What a CA that is down says. */
export function failing(): never {
  throw new CaFailure(undefined, { origin: "ca-failing" });
}

/** An order that the CA has been asked for. */
export type PlacedOrder = IssueRequest & { readonly at: Date; readonly names: string };

type Life = { readonly notBefore: Date; readonly notAfter: Date };

/** A CA of real certificates: it answers at once, after what the test says. */
export class TestAuthority implements CertificateAuthority {
  readonly orders: PlacedOrder[] = [];
  /** Called for each order; what it throws is the CA's answer. */
  answer: (order: PlacedOrder) => void = () => undefined;
  /** Called when the CSR is there. */
  sign: (order: PlacedOrder) => void = () => undefined;
  /** Names that it puts into each certificate beside those that are ordered. */
  adds: readonly string[] = [];
  /** Names that it forgets. */
  leavesOut: readonly string[] = [];
  life: (now: Date) => Life;
  /** What it says of when to renew a certificate; by default it has no renewal information. */
  suggestion: (directoryUrl: string, certificateId: string) => RenewalInfoAnswer = () => ({ kind: "unsupported" });
  readonly questions: { readonly at: Date; readonly certificateId: string }[] = [];
  /** Whether it answers a probe. */
  isUp: (directoryUrl: string) => boolean = () => true;
  probes = 0;
  /** Whether an order whose CSR it has got can be collected later, and what it has for those. */
  keepsOrders = false;
  readonly open = new Map<string, IssuedCertificate>();
  readonly collected: string[] = [];
  /** Called when an order is to be collected; what it throws is the CA's answer. */
  answerToCollect: (url: string) => void = () => undefined;
  /** Whether it takes an order for the renewal that it says it is. */
  takesReplacements = true;
  /** The accounts that were asked for without an order; what is thrown is the CA's answer. */
  readonly accounts: (AccountRequest & { readonly at: Date })[] = [];
  answerToAccount: (request: AccountRequest) => void = () => undefined;
  aheadMs: number | undefined;
  readonly #now: () => Date;

  constructor(now: () => Date, lifeMs: number) {
    this.#now = now;
    this.life = (at) => ({ notBefore: at, notAfter: new Date(at.getTime() + lifeMs) });
  }

  async issue(request: IssueRequest, _log: Log, signal: AbortSignal): Promise<IssuedCertificate> {
    signal.throwIfAborted();
    const at = this.#now();
    const names = request.identifiers.map(({ value }) => value);
    const order = { ...request, at, names: names.join(",") };
    this.orders.push(order);
    this.answer(order);
    const isReplacement = request.replaces !== undefined && this.takesReplacements;
    const { privateKeyPem } = request;
    const issued = issueForTest({
      names: [...new Set([...names, ...this.adds])].filter((name) => !this.leavesOut.includes(name)),
      ...this.life(at),
      privateKeyPem,
      accountId: "0123456789abcdef0123456789abcdef",
    });
    const url = `${request.directoryUrl}/order/${this.orders.length}`;
    await request.beforeFinalize?.({ url, privateKeyPem: issued.privateKeyPem, isReplacement });
    signal.throwIfAborted();
    if (this.keepsOrders) this.open.set(url, { ...issued, isReplacement });
    this.sign(order);
    return { ...issued, isReplacement };
  }

  async collect(
    { url }: OpenOrder,
    _request: CollectRequest,
    _log: Log,
    signal: AbortSignal,
  ): Promise<IssuedCertificate | undefined> {
    signal.throwIfAborted();
    this.collected.push(url);
    this.answerToCollect(url);
    return this.open.get(url);
  }

  async renewalInfo(directoryUrl: string, certificateId: string, signal: AbortSignal): Promise<RenewalInfoAnswer> {
    signal.throwIfAborted();
    this.questions.push({ at: this.#now(), certificateId });
    return this.suggestion(directoryUrl, certificateId);
  }

  async isAnswering(directoryUrl: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    this.probes += 1;
    return this.isUp(directoryUrl);
  }

  async openAccount(request: AccountRequest, _log: Log, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.accounts.push({ ...request, at: this.#now() });
    this.answerToAccount(request);
  }

  clockAheadMs(): number | undefined {
    return this.aheadMs;
  }

  async changeAccountKey(): Promise<never> {
    throw new Error("no test of reconcile changes an account's key");
  }
}
