import { identifierKey, toFailure } from "../../certificate/index.ts";
import type { DeployContext } from "./context.ts";
import type { Version } from "./target.ts";
import { ConfigurationRejectedError } from "../errors.ts";
import type { LineageVersion } from "../lineage-store.ts";
import { withPutBack } from "../tries.ts";

/** A version that may be why a target refuses its configuration, and the one that is shown in its place. */
export type Suspect = { readonly version: Version; readonly previous: LineageVersion };

/**
 * Those of which a target has served a version, or has one on disk to serve instead. Of another one nothing is lost when something
 * stands in for it, and it can't be put back: kept on trial, it would keep all others waiting.
 */
export async function withVersionBefore(
  context: DeployContext,
  behind: readonly Version[],
): Promise<readonly Version[]> {
  const found = await Promise.all(
    behind.map(async (version) => {
      try {
        const { deploy } = await context.store.loadState(version.lineage);
        if (deploy[context.target.name]?.servedFingerprint !== undefined) return true;
        return (await context.store.previousVersion(version.lineage, version.version)) !== undefined;
      } catch {
        return true;
      }
    }),
  );
  return behind.filter((_, index) => found[index]);
}

/**
 * Finds out which of our new versions make a target's configuration test fail, by the same test against the versions before.
 * Call it while no other target reads the files. Afterwards the guilty ones are put back to the version before, and all others
 * are shown as they were; none is guilty when the test fails for a foreign reason. Dying in the middle leaves a valid pair
 * shown, old or new.
 */
export async function findGuilty(context: DeployContext, behind: readonly Version[]): Promise<readonly Suspect[]> {
  const suspects: Suspect[] = [];
  for (const version of behind) suspects.push(...(await toSuspect(context, version)));
  try {
    for (const { version, previous } of suspects) await context.store.show(version.lineage, previous.version);
    const isOurs = suspects.length > 0 && (await passes(context, behind));
    const guilty: Suspect[] = [];
    for (const suspect of suspects) {
      const { version, previous } = suspect;
      await context.store.show(version.lineage, version.version);
      if (!isOurs || (await passes(context, behind))) continue;
      await context.store.show(version.lineage, previous.version);
      guilty.push(suspect);
    }
    return guilty;
  } catch (thrown) {
    // The test itself couldn't be run: nothing is known, so nothing is to stay put back.
    await Promise.allSettled(suspects.map(({ version }) => context.store.show(version.lineage, version.version)));
    throw thrown;
  }
}

/**
 * Finds out which of these versions are why no handshake with a target succeeds: where it serves the one before, which it has
 * served already, once that is shown and applied. Call it while no other target reads the files. Afterwards the guilty ones are put
 * back, and all others are shown and applied as they were.
 */
export async function findBreaking(
  context: DeployContext,
  broken: readonly Version[],
  isServed: (version: Version) => Promise<boolean>,
): Promise<readonly Suspect[]> {
  const { store } = context;
  const suspects: Suspect[] = [];
  for (const version of broken) suspects.push(...(await toSuspect(context, version, "that was served")));
  if (suspects.length === 0) return [];
  const innocent = new Set(suspects);
  try {
    for (const { version, previous } of suspects) await store.show(version.lineage, previous.version);
    const before = suspects.map((suspect) => ({ suspect, version: versionBefore(context, suspect) }));
    await takeOver(
      context,
      before.map(({ version }) => version),
    );
    for (const { suspect, version } of before) if (await isServed(version)) innocent.delete(suspect);
  } finally {
    for (const { version } of innocent) await store.show(version.lineage, version.version);
  }
  if (innocent.size > 0)
    await takeOver(
      context,
      [...innocent].map(({ version }) => version),
    );
  return suspects.filter((suspect) => !innocent.has(suspect));
}

async function takeOver({ target, signal }: DeployContext, versions: readonly Version[]): Promise<void> {
  await target.check(signal, lineagesOf(versions));
  await target.apply(versions, signal);
}

/** The one that is shown in the place of a suspect, as targets are given it. */
export function versionBefore({ store }: Pick<DeployContext, "store">, { version: after, previous }: Suspect): Version {
  const { lineage } = after;
  const { version, leaf } = previous;
  const had = new Set(leaf.identifiers.map(identifierKey));
  const identifiers = after.identifiers.filter((one) => had.has(identifierKey(one)));
  const { fingerprint, keyKind, validity } = leaf;
  const pair = () => store.pair(lineage, version);
  return { lineage, version, identifiers, fingerprint, keyKind, validity, isNew: false, pair };
}

// A version that the target has served before can't be why it refuses its configuration now. Nor may one be put back of which
// the disk gives nothing: it would be ordered again, and the others wait.
async function toSuspect(
  context: DeployContext,
  version: Version,
  before: "any" | "that was served" = "any",
): Promise<Suspect[]> {
  const { lineage, fingerprint } = version;
  try {
    return await context.round.remembering(lineage, async () => {
      const state = await context.store.loadState(lineage);
      const { servedFingerprint, acquittedFingerprint } = state.deploy[context.target.name] ?? {};
      if (servedFingerprint === fingerprint) return [];
      // To find that out again would cost it as much again twice, each time.
      if (before !== "any" && context.target.isCostly && acquittedFingerprint === fingerprint) return [];
      const previous = await findBefore(context, version, servedFingerprint);
      if (!previous || (before !== "any" && previous.leaf.fingerprint !== servedFingerprint)) return [];
      // A death from here on may leave the one before shown: the next run shows this one again.
      const tries = withPutBack(state.tries, fingerprint, context.clock.now().toISOString());
      await context.store.saveState(lineage, { ...state, tries });
      return [{ version, previous }];
    });
  } catch (thrown) {
    context.log.error("lineage.failed", { lineage, ...toFailure(thrown) });
    return [];
  }
}

// The version just below may be one that was refused as well: the one that the target has served is sure to pass.
async function findBefore(
  { store }: DeployContext,
  { lineage, version }: Version,
  servedFingerprint: string | undefined,
): Promise<LineageVersion | undefined> {
  const newest = await store.previousVersion(lineage, version);
  for (let one = newest; one; one = await store.previousVersion(lineage, one.version)) {
    if (one.leaf.fingerprint === servedFingerprint) return one;
  }
  return newest;
}

/** The lineages of versions. */
export function lineagesOf(versions: readonly Version[]): readonly string[] {
  return versions.map(({ lineage }) => lineage);
}

/** Whether the target's test passes with these on trial. */
export async function passes({ target, signal }: DeployContext, behind: readonly Version[]): Promise<boolean> {
  try {
    await target.check(signal, lineagesOf(behind));
    return true;
  } catch (thrown) {
    if (thrown instanceof ConfigurationRejectedError) return false;
    throw thrown;
  }
}
