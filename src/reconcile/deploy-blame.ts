import { toFailure } from "../certificate/index.ts";
import type { DeployableVersion, DeployParts, DeployTask } from "./deploy-task.ts";
import { ConfigurationRejectedError } from "./errors.ts";
import type { LineageVersion } from "./lineage-store.ts";

type Suspect = { readonly version: DeployableVersion; readonly previous: LineageVersion };

/**
 * Finds out which of our new versions make a target's configuration test fail, by the same test against the versions
 * before. Afterwards the guilty ones are put back to the version before, and all others are shown as they were; none is
 * guilty when the test fails for a foreign reason. Dying in the middle leaves a valid pair shown, old or new.
 */
export async function findGuilty(
  parts: DeployParts,
  task: DeployTask,
  behind: readonly DeployableVersion[],
): Promise<readonly DeployableVersion[]> {
  const suspects = await withPrevious(parts, task, behind);
  try {
    for (const { version, previous } of suspects) await parts.store.show(version.lineage, previous.version);
    const isOurs = suspects.length > 0 && (await passes(task));
    const guilty: DeployableVersion[] = [];
    for (const { version, previous } of suspects) {
      await parts.store.show(version.lineage, version.version);
      if (!isOurs || (await passes(task))) continue;
      await parts.store.show(version.lineage, previous.version);
      guilty.push(version);
    }
    return guilty;
  } catch (thrown) {
    // The test itself couldn't be run: nothing is known, so nothing may stay put back (it would be ordered again).
    for (const { version } of suspects) {
      await parts.store.show(version.lineage, version.version).catch((failure: unknown) => {
        task.log.error("lineage.failed", { lineage: version.lineage, ...toFailure(failure) });
      });
    }
    throw thrown;
  }
}

// A version that the target has served before can't be why it refuses its configuration now.
async function withPrevious(
  parts: DeployParts,
  task: DeployTask,
  behind: readonly DeployableVersion[],
): Promise<Suspect[]> {
  const suspects: Suspect[] = [];
  for (const version of behind) {
    const state = await parts.store.loadState(version.lineage);
    const wasServed = state.deploy[task.target.name]?.servedFingerprint === version.fingerprint;
    const previous = wasServed ? undefined : await parts.store.previousVersion(version.lineage, version.version);
    if (previous) suspects.push({ version, previous });
  }
  return suspects;
}

async function passes({ target, signal }: DeployTask): Promise<boolean> {
  try {
    await target.test(signal);
    return true;
  } catch (thrown) {
    if (thrown instanceof ConfigurationRejectedError) return false;
    throw thrown;
  }
}
