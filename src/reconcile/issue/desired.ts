import {
  exactSetKey,
  identifierKey,
  namesBeyond,
  sameIdentifiers,
  type Identifier,
  type KeyType,
  type OperatorError,
  type WantedCertificate,
} from "../../certificate/index.ts";
import type { LineageSettings, LineageVersion, StoredLineage } from "../lineage-store.ts";
import { NamesOfSettingsError, ProductionKeptError, waitingForSettings } from "../errors.ts";
import type { Policy } from "../policy.ts";
import { isProductionKept, isReal, mergeOrder } from "./merge-order.ts";

/** A certificate that must be valid on disk and served: what should be, beside what is. */
export type DesiredCertificate = {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  readonly settings: LineageSettings;
  readonly current?: LineageVersion | undefined;
  /** The directory of the version on disk; differs from `settings` when the operator has changed the CA. */
  readonly currentDirectoryUrl?: string | undefined;
  /** The kind of key of the version on disk, as its renewal settings have it. */
  readonly currentKeyType?: KeyType | undefined;
  /** The settings ask for a staging certificate, which never takes the place of this real one: the site would stop being trusted. */
  readonly isKeptProduction: boolean;
  /** The settings, which have no mistake, don't name it: it is there because its conf is. */
  readonly isUnnamed?: boolean | undefined;
  /** Why nobody knows how it is renewed, nor whether it is to be: its conf can't be read, and the settings don't say it. */
  readonly unknownBecause?: OperatorError | undefined;
  /** What is wrong on disk, when something is. */
  readonly problem?: OperatorError | undefined;
  /** Why nothing may be ordered for it: it has no conf that says how, and the settings leave it in doubt or ask for a test's. */
  readonly waitsFor?: OperatorError | undefined;
};

/**
 * Joins what the settings name with what is on disk. A wanted set of names that a lineage covers exactly is that lineage,
 * `-0001` names too; else the lineage of its name, whose names then change; else a new one. Lineages that the settings
 * don't name are kept as they are, and those that they do where a mistake leaves in doubt how to order. Order: as in the settings, then by name.
 */
export function resolveDesired(policy: Policy, stored: readonly StoredLineage[]): DesiredCertificate[] {
  const taken = new Set<string>();
  const byNames = Map.groupBy(stored, ({ current }) => current && exactSetKey(current.leaf.identifiers));
  const byName = new Map(stored.map((lineage) => [lineage.name, lineage]));
  const named = policy.wanted.flatMap((wanted) => {
    const free = (lineage: StoredLineage | undefined) => lineage && !taken.has(lineage.name);
    const covering = (byNames.get(exactSetKey(wanted.identifiers)) ?? []).filter(free);
    const lineage = chooseLineage(wanted, covering) ?? [byName.get(wanted.name)].find(free);
    taken.add(lineage?.name ?? wanted.name);
    const byConf = lineage && policy.areOrdersInDoubt ? fromStored(lineage, policy) : [];
    return byConf.length > 0 ? byConf : [fromWanted(wanted, lineage, policy)];
  });
  const others = stored.filter((lineage) => !taken.has(lineage.name)).flatMap((lineage) => fromStored(lineage, policy));
  const isUnnamed = policy.settingsProblem === undefined;
  return [...named, ...others.map((one) => ({ ...one, isUnnamed }))];
}

/**
 * The certificate that a command wants, of those desired with it. For a lineage that the settings name the settings' names last:
 * throws NamesOfSettingsError where it is asked for with others.
 */
export function chooseWanted(asked: WantedCertificate, desired: readonly DesiredCertificate[]): DesiredCertificate {
  const found = desired.find(({ identifiers }) => sameIdentifiers(identifiers, asked.identifiers));
  const isOneOfTwo = desired.some((other) => other !== found && other.lineage === found?.lineage);
  if (found === undefined || isOneOfTwo) throw new NamesOfSettingsError(asked.name);
  return found;
}

function chooseLineage({ name }: WantedCertificate, covering: readonly StoredLineage[]): StoredLineage | undefined {
  return covering.find((lineage) => lineage.name === name) ?? covering.find(({ settings }) => settings) ?? covering[0];
}

function fromWanted(wanted: WantedCertificate, lineage: StoredLineage | undefined, policy: Policy): DesiredCertificate {
  const identifiers = namesOf(wanted, lineage?.current, policy);
  const name = lineage?.name ?? wanted.name;
  const order = mergeOrder(policy, lineage?.settings);
  return { ...onDisk(lineage), lineage: name, identifiers, ...order, waitsFor: reasonToWait(name, lineage, policy) };
}

function reasonToWait(name: string, lineage: StoredLineage | undefined, policy: Policy): OperatorError | undefined {
  if (policy.areOrdersInDoubt) return waitingForSettings(name, policy.settingsProblem);
  const { isStaging, directoryUrl } = policy;
  // Nobody knows any more at which CA it is renewed, but that it is a real one.
  const isBare = lineage !== undefined && lineage.settings === undefined;
  return isBare && isStaging(directoryUrl) && isReal(lineage, isStaging) ? new ProductionKeptError(name) : undefined;
}

// A name that is to go to a certificate with a mistake stays where it is until that one can be ordered.
function namesOf({ identifiers }: WantedCertificate, current: StoredLineage["current"], { leftOut = [] }: Policy) {
  const covered = current?.leaf.identifiers ?? [];
  const dropped = namesBeyond(covered, identifiers);
  return leftOut.some((one) => dropped.includes(identifierKey(one))) ? covered : identifiers;
}

function fromStored(lineage: StoredLineage, policy: Policy): DesiredCertificate[] {
  const { name, settings, current, problem } = lineage;
  // Without any conf nobody asks for it.
  if (!current || !(settings ?? problem)) return [];
  const { identifiers } = current.leaf;
  const order = settings
    ? { settings, isKeptProduction: isProductionKept(settings, policy) }
    : mergeOrder(policy, undefined);
  const unknownBecause = settings ? undefined : problem;
  return [{ ...onDisk(lineage), lineage: name, identifiers, ...order, unknownBecause }];
}

function onDisk({ current, settings, problem }: Partial<StoredLineage> = {}) {
  return { current, currentDirectoryUrl: settings?.directoryUrl, currentKeyType: settings?.keyType, problem };
}
