import { OperatorError } from "../certificate/index.ts";
import { ConfigurationRejectedError } from "../reconcile/index.ts";
import { couldNotStart, outputOf, type ExecResult } from "./docker/exec.ts";
import { certificateStepFailed, commandMissing, reloadFailed } from "./errors.ts";
import type { Place, TargetTools } from "./kind.ts";
import { NOTES_SCRIPT } from "./nginx-files.ts";
import { OUR_FOLDER } from "./nginx-off.ts";

// Our own nginx folder has this script; a foreign nginx has none and reads the files at the paths it was given. A failure of
// the script is always told by the same exit code, so that 126 and 127 say that there is no shell and therefore no script.
const STEP = `${OUR_FOLDER}/certificate-step.sh`;
const runStep = (otherwise: string) => `[ ! -f ${STEP} ] || /bin/sh ${STEP} "$@" ${otherwise}`;
const STEP_COMMAND = ["/bin/sh", "-c", runStep("|| exit 1"), "step"];
const TEST_COMMAND = ["nginx", "-t"];
const RELOAD_COMMAND = ["nginx", "-s", "reload"];

// nginx's own word for what it refuses: whatever else comes of it, no certificate is to blame.
const REFUSED = 1;
const STEP_FAILED = 3;
const RELOAD_FAILED = 4;

/**
 * The step, nginx's test, which tells its whole configuration, too, and its reload where the next word is `reload` and not `step`; then
 * the lineages on trial. One command: each costs an engine some 50 ms, whatever is done in it.
 */
export const STEP_AND_TEST_COMMAND = [
  "/bin/sh",
  "-c",
  `${runStep(`>/dev/null || exit ${STEP_FAILED}`)}
${NOTES_SCRIPT}
nginx -T || exit
[ "$0" != reload ] || nginx -s reload || exit ${RELOAD_FAILED}`,
];

/** How a configuration is tested; `reloads`: and taken over, where it passes. */
export type NginxTrial = {
  readonly onTrial: readonly string[];
  readonly reloads?: boolean;
  readonly signal: AbortSignal;
};

/**
 * Takes the certificates into the configuration of an nginx and tests it. Gives what it has printed, for {@link readSays}, where it was
 * told so much. Throws ConfigurationRejectedError with nginx's own words.
 */
export async function testNginx(
  place: Place,
  exec: TargetTools["exec"],
  trial: NginxTrial,
): Promise<ExecResult | undefined> {
  const { onTrial, reloads, signal } = trial;
  const argv = [...STEP_AND_TEST_COMMAND, reloads ? "reload" : "step", ...onTrial];
  const tested = await exec(place, argv, signal).catch(unlessDenied);
  if (!tested || couldNotStart(tested)) return oneByOne(place, exec, trial);
  if (tested.exitCode === 0) return tested;
  const words = outputOf({ ...tested, stdout: "" });
  if (tested.exitCode === REFUSED) throw new ConfigurationRejectedError(place.name, words);
  throw tested.exitCode === RELOAD_FAILED ? reloadFailed(place, words) : certificateStepFailed(place, words);
}

/**
 * Makes an nginx take over its configuration. That it does so is no more than that its master was signalled: whether it took the
 * certificate is seen by a TLS check.
 */
export async function reloadNginx(place: Place, exec: TargetTools["exec"], signal: AbortSignal): Promise<void> {
  const reload = await exec(place, RELOAD_COMMAND, signal);
  if (reload.exitCode !== 0) throw reloadFailed(place, outputOf(reload));
}

// Rules of a socket proxy that are older than the command refuse it; they let through what it is made of.
function unlessDenied(thrown: unknown): undefined {
  if (!(thrown instanceof OperatorError) || thrown.code !== "DOCKER_DENIED") throw thrown;
}

async function oneByOne(
  place: Place,
  exec: TargetTools["exec"],
  { onTrial, reloads, signal }: NginxTrial,
): Promise<undefined> {
  const step = await exec(place, [...STEP_COMMAND, ...onTrial], signal);
  if (step.exitCode !== 0 && !couldNotStart(step)) throw certificateStepFailed(place, outputOf(step));
  const test = await exec(place, TEST_COMMAND, signal);
  if (couldNotStart(test)) throw commandMissing(place, TEST_COMMAND, outputOf(test));
  if (test.exitCode !== 0) throw new ConfigurationRejectedError(place.name, outputOf(test));
  if (reloads) await reloadNginx(place, exec, signal);
}
