import {
  isRenewalInfoDue,
  takeRenewalInfo,
  toFailure,
  type RenewalInfoAnswer,
  type RenewalInfoState,
} from "../../certificate/index.ts";
import type { DesiredCertificate } from "./desired.ts";
import type { LineageState } from "../lineage-state.ts";
import type { StepParts, Run } from "../run.ts";

/**
 * Asks the CA of the version on disk when it should be renewed, if it is time to ask, and remembers the answer. Gives the
 * state as it is then. A CA that doesn't answer, or a disk that is full, is no reason to stop. Throws only the signal's reason.
 */
export async function refreshRenewalInfo(
  parts: StepParts,
  run: Run,
  { desired, state }: { readonly desired: DesiredCertificate; readonly state: LineageState },
): Promise<LineageState> {
  const { current, currentDirectoryUrl, lineage } = desired;
  const certificateId = current?.leaf.certificateId;
  if (!current || certificateId === undefined || currentDirectoryUrl === undefined) return state;
  const facts = { certificateId, validity: current.leaf.validity, now: parts.clock.now() };
  if (!isRenewalInfoDue(state.renewalInfo, facts)) return state;
  const answer = await parts.probes.renewalInfo(currentDirectoryUrl, certificateId);
  const renewalInfo = takeRenewalInfo(state.renewalInfo, answer, facts, parts.random);
  tell(run, { lineage, before: state.renewalInfo, after: renewalInfo, answer });
  const next = { ...state, renewalInfo };
  await parts.store.saveState(lineage, next).catch((thrown: unknown) => {
    run.log.error("state.unsaved", { lineage, ...toFailure(thrown) });
  });
  return next;
}

type Told = {
  readonly lineage: string;
  readonly before: RenewalInfoState | undefined;
  readonly after: RenewalInfoState;
  readonly answer: RenewalInfoAnswer;
};

// Each change once: a CA that says the same every few hours has said it.
function tell({ log }: Run, { lineage, before, after, answer }: Told): void {
  const known = before?.certificateId === after.certificateId ? before : undefined;
  const { window, renewAt, explanationUrl, askAgainAt, problem } = after;
  if (answer.kind === "window") {
    const isNew = known?.renewAt !== renewAt || known?.explanationUrl !== explanationUrl;
    const level = !isNew ? "debug" : explanationUrl === undefined ? "info" : "warn";
    log[level]("renewal-info.changed", { lineage, ...window, renewAt, explanationUrl, askAgainAt });
    return;
  }
  if (problem === undefined) return;
  const level = known?.problem === problem ? "debug" : "warn";
  log[level]("renewal-info.failed", { lineage, reason: problem, nextAt: askAgainAt });
}
