import { toFailure } from "../certificate/index.ts";
import type { DesiredCertificate } from "./issue/desired.ts";
import type { StoredLineage } from "./lineage-store.ts";
import type { ReconcileParts, Run } from "./run.ts";

/** What is on disk, and what is to be. */
type Seen = { readonly stored: readonly StoredLineage[]; readonly desired: readonly DesiredCertificate[] };

/** Tells what an operator should know once of the tree that the sidecar works on. Throws OperatorError. */
export async function tellAtStart(
  { store, storage }: Pick<ReconcileParts, "store" | "storage">,
  { log, signal }: Run,
  { stored, desired }: Seen,
): Promise<void> {
  // What a taken-over tree has relied on must not stop without a word.
  for (const { name, settings } of stored) {
    for (const ignored of settings?.unsupported ?? []) log.warn("option.ignored", { lineage: name, ...ignored });
    const isBySettings = desired.some(({ lineage, settings: other }) => lineage === name && other !== settings);
    const hasOwn = settings?.challenges.some(({ names }) => names !== "all");
    if (isBySettings && hasOwn)
      log.warn("option.ignored", { lineage: name, option: "[[webroot_map]]", because: OVERRULED });
  }
  for (const stray of await store.strays()) log.warn("conf.stray", stray);
  for (const { lineage, current, problem } of desired) {
    // It is renewed by the settings, or not at all: each run tells that one.
    if (current && problem) log.warn("lineage.failed", { lineage, ...toFailure(problem) });
  }
  const found = await storage.inspect(signal);
  if (found.kind === "ephemeral") log.warn("storage.ephemeral", found);
}

const OVERRULED = "CERTBOT_DOMAIN names this certificate: CERTBOT_WEBROOT_PATH says where its tokens go";
