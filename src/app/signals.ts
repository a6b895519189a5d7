// By default they end a process or stop it. Left out are those by which the system tells a program of a fault of its own
// (SEGV, ABRT and the like): coming back from these would repeat the fault for ever.
const MEANINGLESS = "USR1 USR2 QUIT ALRM STKFLT TSTP TTIN TTOU XCPU XFSZ VTALRM PROF IO PWR";

/**
 * Makes the signals that say nothing to the daemon do nothing to it: `docker kill -s` sends any, and a mistake is no stop. Calls
 * `onSent` for each that somebody has sent.
 */
export function ignoreOtherSignals(onSent: () => void): void {
  for (const name of MEANINGLESS.split(" ")) process.on(`SIG${name}`, onSent);
  // The system's own word for a write to a line that broke; the write says so, too.
  process.on("SIGPIPE", () => undefined);
}
