import { toFailure } from "../../certificate/index.ts";
import { NamedCertificateUnknownError } from "../errors.ts";
import type { MissingTarget, Target } from "./target.ts";

/**
 * What labels name beside all certificates that there are, or are wanted, for each target: it would never be deployed, and nobody
 * would miss it. Pure.
 */
export function misnamed(targets: readonly Target[], known: readonly string[]): readonly MissingTarget[] {
  return targets.flatMap(({ name, named = [] }) => {
    const unknown = named.filter((lineage) => !known.includes(lineage));
    if (unknown.length === 0) return [];
    return [{ name, failure: toFailure(new NamedCertificateUnknownError(name, unknown, known)) }];
  });
}
