import type { Episode, Fault } from "./fault-plan.ts";

// Half of all nonces refused, or a tenth of all requests lost, is no reason to fail.
const BEARABLE_NONCES = 0.5;
const BEARABLE_LOSS = 0.1;
const BEARABLE_DELAY_MS = 10 * 60_000;

/** A time in which nothing could be done for a lineage, or for any when `lineage` is left out. */
export type Hindrance = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly lineage?: number | undefined;
  readonly why: string;
};

/** Everything that stood in the way of orders, or of deploys, for the judgement on a certificate that has lapsed. */
export class Hindrances {
  readonly #all: Hindrance[] = [];

  add(hindrance: Hindrance): void {
    this.#all.push(hindrance);
  }

  /** The longest time between two moments in which nothing stood in the way of a lineage's orders. */
  longestAble(lineage: number, fromMs: number, toMs: number): { readonly fromMs: number; readonly ableMs: number } {
    let longest = { fromMs, ableMs: 0 };
    let freeFrom = fromMs;
    const consider = (untilMs: number) => {
      const ableMs = Math.min(untilMs, toMs) - freeFrom;
      if (ableMs > longest.ableMs) longest = { fromMs: freeFrom, ableMs };
    };
    for (const one of this.#of(lineage, fromMs, toMs)) {
      consider(one.fromMs);
      freeFrom = Math.max(freeFrom, one.toMs);
    }
    consider(toMs);
    return longest;
  }

  /** What stood in the way in a time, for people. */
  reasons(lineage: number, fromMs: number, toMs: number): string[] {
    return [...new Set(this.#of(lineage, fromMs, toMs).map(({ why }) => why))];
  }

  #of(lineage: number, fromMs: number, toMs: number): Hindrance[] {
    return this.#all
      .filter((one) => one.lineage === undefined || one.lineage === lineage)
      .filter((one) => one.toMs > fromMs && one.fromMs < toMs)
      .sort((a, b) => a.fromMs - b.fromMs);
  }
}

/** Whose orders a fault hinders while it lasts; undefined: nobody's. */
export function hindranceOf(fault: Fault): Pick<Hindrance, "why" | "lineage"> | undefined {
  switch (fault.kind) {
    case "renewal-info":
    case "conf-spoiled":
    case "wrong-setting":
      return undefined;
    // A version that is put back keeps the one before on disk.
    case "refusing":
      return fault.whose === "ours" ? { why: fault.kind, lineage: fault.lineage } : undefined;
    case "clock-behind":
      return fault.byMs > BEARABLE_DELAY_MS ? { why: fault.kind } : undefined;
    case "flaky":
      return fault.rate > BEARABLE_LOSS ? { why: fault.kind } : undefined;
    case "nonces":
      return fault.rate > BEARABLE_NONCES ? { why: fault.kind } : undefined;
    case "proof":
      return { why: fault.kind, lineage: fault.lineage };
    case "rate-limit":
      return fault.scope === "account" ? { why: fault.kind } : { why: fault.kind, lineage: fault.lineage };
    case "outage":
    case "failing":
    case "slow":
    case "disk-full":
    case "stopped":
      return { why: fault.kind };
  }
}

/** Whose deploys a fault hinders while it lasts; undefined: nobody's. */
export function deployHindranceOf(fault: Fault): Pick<Hindrance, "why" | "lineage"> | undefined {
  const { kind } = fault;
  if (kind === "refusing" && fault.whose === "ours") return { why: kind, lineage: fault.lineage };
  const isOfAll = kind === "refusing" || kind === "stopped" || kind === "disk-full" || kind === "clock-behind";
  return isOfAll ? { why: kind } : undefined;
}

type Doubt = {
  readonly lineages: readonly number[];
  readonly isOnDisk: (lineage: number) => boolean;
  readonly nowMs: number;
};

/** Settings with a mistake leave what is on disk to its conf: who has none there, or none that can be read, waits. */
export function hindrancesInDoubt(
  active: readonly Episode[],
  { lineages, isOnDisk, nowMs: fromMs }: Doubt,
): Hindrance[] {
  return active.flatMap((wrong) => {
    const { fault } = wrong;
    if (fault.kind !== "wrong-setting") return [];
    const isWaiting = (lineage: number, { fault: other }: Episode) =>
      isOnDisk(lineage) ? other.kind === "conf-spoiled" && other.lineage === lineage : other === fault;
    const concerned = lineages.filter((lineage) => fault.about === "orders" || lineage === fault.lineage);
    return concerned.flatMap((lineage) =>
      active
        .filter((one) => isWaiting(lineage, one))
        .map(({ toMs }) => ({ fromMs, toMs: Math.min(toMs, wrong.toMs), lineage, why: fault.kind })),
    );
  });
}
