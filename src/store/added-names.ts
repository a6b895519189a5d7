import { identifierKey } from "../certificate/index.ts";
import type { LineageVersion } from "../reconcile/index.ts";
import type { RenewalConf } from "./renewal-conf.ts";

// At the top of a conf: certbot keeps there what it doesn't know.
const KEY = "added_names";

/** The names that a CA has added to the version that a conf is of. */
export function readAddedNames(conf: RenewalConf): readonly string[] {
  return [conf.get("", KEY) ?? []].flat();
}

/** Makes a conf name them; it has no such line where there are none. */
export function writeAddedNames(conf: RenewalConf, names: readonly string[]): void {
  if (names.length === 0) conf.remove("", (key) => key === KEY);
  else conf.set("", KEY, names);
}

/** A version with the names that were ordered alone, so that nobody takes those that were added for a wish. */
export function withoutAdded(version: LineageVersion, added: readonly string[]): LineageVersion {
  const identifiers = version.leaf.identifiers.filter((one) => !added.includes(identifierKey(one)));
  return { ...version, leaf: { ...version.leaf, identifiers } };
}
