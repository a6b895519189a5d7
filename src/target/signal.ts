import { constants } from "node:os";
import { labelInvalid, signalUnsafe } from "./errors.ts";
import type { TargetKind, ToldSpot } from "./kind.ts";
import { DEPLOY } from "./labels.ts";
import { toldTarget } from "./told-target.ts";

/** What reads its certificate anew when it gets a signal, sent by the engine: no command is run in it. */
export const signal = {
  name: "signal",
  argument: "HUP",
  make: (spot, argument, tools) => {
    const name = readSignal(spot.name, argument);
    refuseUnsafe(spot, name);
    return toldTarget(spot, tools, (_, abortSignal) => tools.kill(spot, name, abortSignal));
  },
} satisfies TargetKind;

// Nobody can do anything at these: the kernel ends or stops the process.
const UNCAUGHT = new Set(["KILL", "STOP"]);

function readSignal(target: string, text: string): string {
  const name = text.trim().toUpperCase().replace(/^SIG/, "");
  if (numberOf(name) !== undefined && !UNCAUGHT.has(name)) return name;
  const allowed = UNCAUGHT.has(name)
    ? `signal: with one that a process can catch, like HUP`
    : `signal: with the name of a signal, like HUP or USR1`;
  throw labelInvalid(target, { label: DEPLOY, value: `signal:${text}`, allowed });
}

function numberOf(name: string): number | undefined {
  return Object.entries(constants.signals).find(([known]) => known === `SIG${name}`)?.[1];
}

/**
 * Docker takes a signal for a stop by hand where the container has no stop signal of its own, or that one: it isn't started again
 * when it ends next. With `unless-stopped` any signal counts as a stop, when the engine itself starts next. Throws
 * TARGET_SIGNAL_UNSAFE.
 */
function refuseUnsafe(spot: ToldSpot, name: string): void {
  const { stopSignal, restartPolicy } = spot.container;
  const { service } = spot;
  // What is never started again can't be kept from that.
  const isUnset = stopSignal === undefined && restartPolicy !== "no";
  const isSame = !isUnset && numberOfStop(stopSignal ?? "TERM") === numberOf(name);
  const other = name === "TERM" ? "SIGQUIT" : "SIGTERM";
  const stop = `"stop_signal: ${other}"`;
  const because = [
    ...(isUnset ? ["it has no stop signal, so Docker would not restart it after its next crash"] : []),
    ...(isSame ? [`that is its stop signal, so Docker would take it for a stop`] : []),
    ...(restartPolicy === "unless-stopped"
      ? ["its restart policy is unless-stopped, so it would stay down after a restart of the Docker engine"]
      : []),
  ];
  if (because.length === 0) return;
  const lines = [
    ...(isUnset || isSame ? [stop] : []),
    ...(restartPolicy === "unless-stopped" ? [`"restart: always"`] : []),
  ];
  const mend = `Write ${lines.join(" and ")} under the service ${service}`;
  throw signalUnsafe(spot, { signal: name, because: because.join(", and "), mend });
}

function numberOfStop(stopSignal: string): number | undefined {
  return /^\d+$/.test(stopSignal) ? Number(stopSignal) : numberOf(stopSignal.toUpperCase().replace(/^SIG/, ""));
}
