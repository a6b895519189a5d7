import { parseIdentifier, PlainError } from "../../src/certificate/index.ts";
import type { Policy } from "../../src/reconcile/index.ts";
import { aPolicy } from "../support/a-policy.ts";
import type { Draws } from "./draws.ts";
import type { Fault } from "./fault-plan.ts";

/** Let's Encrypt's own, so that the product's table of limits applies; nothing leaves this process. */
export const PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory";
/** Where that CA rehearses. */
export const STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";
/** The CA that helps out, in some lives. */
export const FALLBACK = "https://acme.fallback.test/directory";

/** The name of a lineage, by its number. */
export function lineageOf(number: number): string {
  return `site-${number}.test`;
}

/** The number of the lineage that a name belongs to. */
export function numberOf(name: string): number {
  return Number(/site-(\d+)\.test$/.exec(name)?.[1]);
}

/** The names of a lineage: its own, and up to three more. */
export function drawNames(draws: Draws, number: number): string[] {
  const first = lineageOf(number);
  return [
    first,
    ...["www", "api", "mail"].slice(0, draws.pick([0, 0, 0, 0, 1, 1, 3])).map((label) => `${label}.${first}`),
  ];
}

/** The names once an operator has added one, or taken it out again. */
export function changeNames(names: readonly string[]): string[] {
  const extra = `new.${names[0] ?? ""}`;
  return names.includes(extra) ? names.filter((name) => name !== extra) : [...names, extra];
}

type Mistake = Extract<Fault, { kind: "wrong-setting" }>;

const WRONG = new PlainError({ code: "CONFIG_INVALID", message: "--nonsense is no option", remedy: "Take it out." });

/** What is left of a policy while there are these mistakes in the settings. */
export function policyDuring(mistakes: readonly Mistake[], policy: Policy): Policy {
  if (mistakes.length === 0) return policy;
  const wrong = mistakes.filter(({ about }) => about === "certificate").map(({ lineage }) => lineageOf(lineage));
  const wanted = policy.wanted.filter(({ name }) => !wrong.includes(name));
  const areOrdersInDoubt = mistakes.some(({ about }) => about === "orders");
  return { ...policy, wanted, areOrdersInDoubt, settingsProblem: WRONG };
}

/** What the settings ask for: a certificate for each list of names. */
export function policyOf(certificates: readonly (readonly string[])[], hasFallback: boolean): Policy {
  const wanted = certificates.map((names) => ({ name: names[0] ?? "", identifiers: names.map(parseIdentifier) }));
  return aPolicy({
    wanted,
    directoryUrl: PRODUCTION,
    fallbackDirectoryUrl: hasFallback ? FALLBACK : undefined,
    isStaging: (url) => url === STAGING,
    isPublicCa: (url) => url === PRODUCTION,
    stagingOf: (url) => (url === PRODUCTION ? STAGING : undefined),
    settingsDigest: JSON.stringify(wanted),
  });
}
