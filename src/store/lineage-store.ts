import { createPrivateKey } from "node:crypto";
import { mapLimited, toFailure } from "../certificate/index.ts";
import type { ChallengeConfs, Log } from "../ports/index.ts";
import type { LineageStore, Recovery } from "../reconcile/index.ts";
import { withoutAdded } from "./added-names.ts";
import { REAL_FILES, type TreeOptions } from "./durable-files.ts";
import { translated } from "./errors.ts";
import { createFileSystemTrial, removeTrials } from "./file-system-trial.ts";
import { installVersion, unusableVersion } from "./installation.ts";
import { checkIssued } from "./issued-checks.ts";
import { LINEAGES_AT_ONCE, readListing } from "./listing.ts";
import { findTraces, recoverLineage, type Traces } from "./recovery.ts";
import { openStateFiles } from "./state-files.ts";
import { isSafeName, safeName, type Kind } from "./tree-paths.ts";
import { openTree, publish, type Tree } from "./tree.ts";

/** What the store needs. */
type LineageStoreOptions = TreeOptions & {
  readonly log: Log;
  /** How confs say by what names are proven. */
  readonly challenges: ChallengeConfs;
};

const ORDERS_KEPT_FOR_MS = 48 * 3600_000;

/** The lineages under `root`, as certbot 5 keeps them: see {@link LineageStore} for what each call promises. */
export function createLineageStore({ root, log, challenges, fs = REAL_FILES }: LineageStoreOptions): LineageStore {
  const tree = openTree(root, fs, challenges);
  const { archive, confs, live, paths } = tree;
  const textOf = (kind: Kind, lineage: string, version: number) =>
    fs.readFile(paths.archived(safeName(lineage), kind, version), "utf8");
  const readWhole = () => translated("list the certificates", paths.renewal, () => readListing(tree));
  return {
    ...openStateFiles(tree, log),
    list: async () => (await readWhole()).lineages,
    strays: async () => (await readWhole()).strays,
    recover: (wanted = []) =>
      translated("look for interrupted work", root, async () => {
        await removeTemporaryFiles(tree);
        const traces = await findTraces(tree, wanted.filter(isSafeName));
        const mended = await mapLimited(traces, LINEAGES_AT_ONCE, (one) => recoverOne(tree, log, one));
        await removeOldOrders(tree);
        return mended.flat();
      }),
    writeMissingConf: (about) =>
      translated(`write the conf of ${about.lineage}`, paths.renewal, () => confs.writeMissing(about, challenges)),
    tryFileSystem: createFileSystemTrial(tree),
    async install(version, now) {
      const lineage = safeName(version.lineage);
      const checked = { ...version, addedNames: checkIssued(version, now) };
      return translated(`install the certificate ${lineage}`, root, () => installVersion(tree, checked, log));
    },
    async show(lineage, version) {
      const finding = await archive.read(safeName(lineage), version);
      if (finding.kind === "broken") throw unusableVersion(lineage, version, finding.reason);
      await translated(`show version ${version} of ${lineage}`, paths.liveOf(lineage), async () => {
        const current = (await live.read(lineage)).finding;
        if (current.kind === "good" && current.version.version === version) return;
        await publish(tree, lineage, version);
      });
      return finding.version;
    },
    async previousVersion(lineage, version) {
      const folder = paths.archiveOf(safeName(lineage));
      const found = await translated("look for older versions", folder, () => archive.newestGood(lineage, version));
      return found && withoutAdded(found, await confs.addedNames(lineage));
    },
    async touch(lineage, version, now) {
      const folder = paths.archiveOf(safeName(lineage));
      await translated(`give the files of ${lineage} a new time`, folder, () => archive.touch(lineage, version, now));
    },
    pair: (lineage, version) =>
      translated(`read version ${version} of ${lineage}`, paths.archiveOf(lineage), async () => ({
        privateKeyPem: await textOf("privkey", lineage, version),
        chainPem: await textOf("fullchain", lineage, version),
      })),
    async privateKey(lineage, version) {
      try {
        // certbot before 2 wrote RSA keys in PKCS #1.
        const key = createPrivateKey(await textOf("privkey", lineage, version));
        return key.export({ type: "pkcs8", format: "pem" }).toString();
      } catch {
        return undefined;
      }
    },
  };
}

// One lineage that can't be mended keeps nobody from the others, nor the sidecar from starting.
async function recoverOne(tree: Tree, log: Log, traces: Traces): Promise<readonly Recovery[]> {
  const { lineage } = traces;
  const path = tree.paths.liveOf(lineage);
  try {
    return await translated(`mend the certificate ${lineage}`, path, () => recoverLineage(tree, traces));
  } catch (thrown) {
    log.error("lineage.failed", { lineage, ...toFailure(thrown) });
    return [];
  }
}

// Keys are in there: what no try has come back for in two days goes; there is one a day or so.
function removeOldOrders({ paths: { orders }, files }: Tree): Promise<void> {
  return files.removeFiles(orders, (_, { mtimeMs }) => Date.now() - mtimeMs > ORDERS_KEPT_FOR_MS);
}

async function removeTemporaryFiles({ paths, files }: Tree): Promise<void> {
  for (const folder of [paths.renewal, paths.sidecar, paths.ledgers, paths.orders, paths.notes]) {
    await files.removeFiles(folder, (entry) => /^\..+\.new$/.test(entry));
  }
  await removeTrials(files, [paths.root, paths.live, paths.archive, paths.renewal]);
}
