import { identifierKey, type Identifier } from "../../certificate/index.ts";
import type { DesiredCertificate } from "../issue/desired.ts";
import { isReal } from "../issue/merge-order.ts";
import type { LineageStore, ServedLineage, StoredLineage } from "../lineage-store.ts";
import type { Policy } from "../policy.ts";
import type { Target, Version } from "./target.ts";

/** What a lineage's names are decided by. */
type Claim = Pick<DesiredCertificate, "lineage" | "identifiers" | "current" | "currentDirectoryUrl">;

/** A lineage and the names that servers are to serve with it. */
export type NameOwner = { readonly lineage: string; readonly identifiers: readonly Identifier[] };

/**
 * Gives each name to one lineage, so that no server is told to serve a name with two: to a certificate on disk that covers
 * it and that is meant to; else to any on disk that covers it, since a name must not lose its certificate while its new one
 * can't be had; else to the lineage that wants it. Where several fit, the settings' order decides. A lineage that is left
 * without a name isn't in the result. Pure.
 */
export function assignNames(desired: readonly Claim[]): readonly NameOwner[] {
  const owners = new Map<string, { readonly lineage: string; readonly identifier: Identifier }>();
  const give = (lineage: string, identifiers: readonly Identifier[]) => {
    for (const identifier of identifiers) {
      const key = identifierKey(identifier);
      if (!owners.has(key)) owners.set(key, { lineage, identifier });
    }
  };
  for (const one of desired) give(one.lineage, coveredAndWanted(one));
  for (const one of desired) give(one.lineage, covered(one));
  for (const one of desired) give(one.lineage, one.identifiers);
  const names = Map.groupBy(owners.values(), ({ lineage }) => lineage);
  return desired.flatMap(({ lineage }) => {
    const identifiers = names.get(lineage)?.map(({ identifier }) => identifier);
    return identifiers ? [{ lineage, identifiers }] : [];
  });
}

/**
 * All that nginx's step is told: what is wanted, then each lineage beside it that has a good version on disk, whatever its conf
 * is like, so that no block of nginx's goes away with a conf. Pure.
 */
export function listForServers(
  desired: readonly DesiredCertificate[],
  stored: readonly StoredLineage[],
  { isStaging }: Pick<Policy, "isStaging">,
): readonly ServedLineage[] {
  const known = new Set(desired.map(({ lineage }) => lineage));
  const others = stored.flatMap(({ name, current, settings }): Claim[] => {
    if (known.has(name) || current === undefined) return [];
    const { identifiers } = current.leaf;
    return [{ lineage: name, identifiers, current, currentDirectoryUrl: settings?.directoryUrl }];
  });
  const claims = [...desired, ...others];
  const real = new Set(claims.filter((one) => isReal(one, isStaging)).map(({ lineage }) => lineage));
  const owners = assignNames(claims);
  // A client that connects to an IP address names no server (RFC 6066 §3): it gets the default one.
  const byAddress = owners.find(({ identifiers }) => identifiers.some(({ type }) => type === "ip"));
  const first = byAddress ?? owners[0];
  return owners.map((one) => ({ ...one, isDefault: one === first, isReal: real.has(one.lineage) }));
}

/**
 * The versions on disk that targets are to serve, each for the names that are its lineage's own: what a run deploys, and what
 * `status` checks. One without any name of its own is kept for whoever else reads it.
 */
export function versionsToServe(
  store: Pick<LineageStore, "pair">,
  desired: readonly DesiredCertificate[],
  isNew: (lineage: string) => boolean = () => false,
): readonly Version[] {
  return versionsOf(store, desired, isNew).filter(hasNames);
}

function hasNames({ identifiers }: Version): boolean {
  return identifiers.length > 0;
}

function versionsOf(
  store: Held["store"],
  desired: Held["desired"],
  isNew: NonNullable<Held["isNew"]>,
): readonly Version[] {
  const owned = new Map(assignNames(desired).map(({ lineage, identifiers }) => [lineage, keysOf(identifiers)]));
  return desired.flatMap(({ lineage, current }): Version[] => {
    if (!current) return [];
    const { fingerprint, keyKind, validity, identifiers: all } = current.leaf;
    const { version } = current;
    const identifiers = all.filter((identifier) => owned.get(lineage)?.has(identifierKey(identifier)));
    const pair = () => store.pair(lineage, version);
    return [{ lineage, identifiers, version, fingerprint, keyKind, validity, isNew: isNew(lineage), pair }];
  });
}

type Asking = Pick<Target, "wants" | "named" | "sharesNames">;

type Held = {
  readonly store: Pick<LineageStore, "pair">;
  readonly desired: readonly DesiredCertificate[];
  readonly isNew?: (lineage: string) => boolean;
};

/**
 * The versions that one target is to serve. Where it is for some lineages alone, what another one has, too, is theirs: there nobody
 * else serves it. Whose servers are made of one list may read a certificate without a name of its own all the same, as one for
 * another kind of key: that is given with no name to look for.
 */
export function versionsFor(target: Asking, { store, desired, isNew = () => false }: Held): readonly Version[] {
  const isWanted = ({ lineage }: Pick<Version, "lineage">) => target.wants(lineage);
  const shared = versionsOf(store, desired, isNew).filter(isWanted);
  const among = target.named ? versionsOf(store, desired.filter(isWanted), isNew) : shared;
  if (!target.sharesNames) return among.filter(hasNames);
  const own = new Map(among.map((version) => [version.lineage, version]));
  return shared.map((version) => (hasNames(version) ? version : (own.get(version.lineage) ?? version)));
}

/**
 * Whether a new version of `one` would leave a name without any certificate: it has the name now and is to lose it to
 * another certificate that isn't on disk yet. Pure.
 */
export function strandsNames(one: DesiredCertificate, desired: readonly DesiredCertificate[]): boolean {
  const kept = keysOf(one.identifiers);
  const dropped = covered(one)
    .map(identifierKey)
    .filter((key) => !kept.has(key));
  // As nearly always; what follows looks at all others.
  if (dropped.length === 0) return false;
  const others = desired.filter(({ lineage }) => lineage !== one.lineage);
  const wantedElsewhere = keysOf(others.flatMap(({ identifiers }) => identifiers));
  const coveredElsewhere = keysOf(others.flatMap(covered));
  return dropped.some((key) => wantedElsewhere.has(key) && !coveredElsewhere.has(key));
}

function covered({ current }: Pick<Claim, "current">): readonly Identifier[] {
  return current?.leaf.identifiers ?? [];
}

function coveredAndWanted(one: Claim): readonly Identifier[] {
  const wanted = keysOf(one.identifiers);
  return covered(one).filter((identifier) => wanted.has(identifierKey(identifier)));
}

function keysOf(identifiers: readonly Identifier[]): ReadonlySet<string> {
  return new Set(identifiers.map(identifierKey));
}
