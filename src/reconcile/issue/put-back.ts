import type { DesiredCertificate } from "./desired.ts";
import { MayNotActError } from "../errors.ts";
import type { LineageState } from "../lineage-state.ts";
import type { LineageVersion } from "../lineage-store.ts";
import type { Run, StepParts } from "../run.ts";
import type { CertificateReport } from "../run-report.ts";
import { attemptsOf } from "../tries.ts";

/** What is known of one certificate: as it should be, and what is remembered. */
export type KnownCertificate = { readonly desired: DesiredCertificate; readonly state: LineageState };

/** The newest version in the archive, where it was put back for the one that is shown now. Throws OperatorError. */
export async function findPutBack(
  { store }: Pick<StepParts, "store">,
  { desired: { lineage, current }, state }: KnownCertificate,
): Promise<LineageVersion | undefined> {
  const { putBack } = attemptsOf(state.tries);
  if (putBack === undefined || putBack === current?.leaf.fingerprint) return undefined;
  const newest = await store.previousVersion(lineage, Number.POSITIVE_INFINITY);
  return newest?.leaf.fingerprint === putBack ? newest : undefined;
}

/** Shows a version again that was put back, for the targets to try as a new one. May run twice. Throws OperatorError. */
export async function showAgain(
  { store, mayAct }: StepParts,
  { log }: Run,
  { desired: { lineage, identifiers }, version }: Pick<KnownCertificate, "desired"> & { readonly version: number },
): Promise<CertificateReport> {
  if (!(await mayAct())) throw new MayNotActError(`version ${version} of ${lineage} was not shown again`);
  const { fingerprint, validity } = (await store.show(lineage, version)).leaf;
  log.info("lineage.shown", { lineage, version, ...validity });
  return { lineage, identifiers, because: "put-back", outcome: "renewed", version, fingerprint, validity };
}
