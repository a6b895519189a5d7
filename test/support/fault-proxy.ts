import { type Passing, type ProxiedCa, startProxiedCa } from "./proxied-ca.ts";

/** What an ACME client asks for, step by step (RFC 8555 §7, RFC 9773 §4). */
export const STEPS = [
  "directory",
  "newNonce",
  "newAccount",
  "newOrder",
  "authorization",
  "challenge",
  "finalize",
  "order",
  "certificate",
  "renewalInfo",
] as const;

/** One of {@link STEPS}. */
export type Step = (typeof STEPS)[number];

/** Something that goes wrong between the CA and us, in place of its answer. */
export type Fault = (passing: Passing) => void | Promise<void>;

/** A CA behind a line that is faulty where and as often as a test says. */
export type FaultProxy = ProxiedCa & {
  /** Answers the next `times` requests of a step with a fault, in place of any fault before. */
  inject(step: Step, fault: Fault, times?: number): void;
  /** Lets everything pass from now on. */
  heal(): void;
  /** How many requests came since the last `forget`, answered or not. */
  requests(): number;
};

// Pebble's paths.
const PATHS: Readonly<Record<Step, string>> = {
  directory: "/dir",
  newNonce: "/nonce-plz",
  newAccount: "/sign-me-up",
  newOrder: "/order-plz",
  authorization: "/authZ/",
  challenge: "/chalZ/",
  finalize: "/finalize-order/",
  order: "/my-order/",
  certificate: "/certZ/",
  renewalInfo: "/draft-ietf-acme-ari-03/renewalInfo/",
};

/** Stands in front of Pebble with a line that is sound until a fault is injected. */
export async function startFaultProxy(pebble: {
  readonly directoryUrl: string;
  readonly caPem: string;
}): Promise<FaultProxy> {
  let injected: { readonly step: Step; readonly fault: Fault; left: number } | undefined;
  let requests = 0;
  const ca = await startProxiedCa(pebble.directoryUrl, pebble.caPem, (passing) => {
    requests += 1;
    if (injected === undefined || injected.left === 0 || !passing.path.startsWith(PATHS[injected.step])) return;
    injected.left -= 1;
    return Promise.resolve(injected.fault(passing));
  });
  return {
    ...ca,
    inject: (step, fault, times = Infinity) => {
      injected = { step, fault, left: times };
    },
    heal: () => {
      injected = undefined;
    },
    requests: () => requests,
    forget: () => {
      requests = 0;
      ca.forget();
    },
  };
}
