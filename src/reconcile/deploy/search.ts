import { toFailure } from "../../certificate/index.ts";
import { NamedCertificateUnknownError } from "../errors.ts";
import type { ReconcileParts } from "../run.ts";
import type { Found, MissingTarget, Target } from "./target.ts";

/**
 * Searches for what to deploy to. What labels name beside all certificates that are there or wanted (`known`) is among the missing:
 * it would never be deployed, and nobody would miss it. Throws only the signal's reason.
 */
export async function searchTargets(
  { targets, policy }: Pick<ReconcileParts, "targets" | "policy">,
  known: readonly string[],
  signal: AbortSignal,
): Promise<Found> {
  const found = await targets.find(signal);
  // Where the settings have a mistake, what is wanted isn't known.
  if (policy.settingsProblem) return found;
  return { ...found, missing: [...found.missing, ...found.targets.flatMap((target) => misnamed(target, known))] };
}

function misnamed({ name, named = [] }: Target, known: readonly string[]): readonly MissingTarget[] {
  const unknown = named.filter((lineage) => !known.includes(lineage));
  if (unknown.length === 0) return [];
  return [{ name, failure: toFailure(new NamedCertificateUnknownError(name, unknown, known)) }];
}
