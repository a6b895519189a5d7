import type { CommandIo } from "./command-io.ts";

const HELP: Readonly<Record<string, string>> = {
  "update-cert": `Usage: update-cert [option...]
Checks all certificates now: orders what is missing or due, has nginx reloaded, looks whether nginx serves it.
  --dry-run           rehearse the orders; change nothing
  --force-renewal     order anew though nothing is due (spends the CA's limits)
  --staging           order at the CA's staging, in this run only
  --cert-name NAME    only this certificate
  --json              one JSON document on standard output
  -v                  every step
  -q                  failures only
Exit code 0: reached, or nothing due. 1: a certificate or a deploy failed. 2: usage or settings.`,
  certificates: `Usage: certificates [--json]
Shows what is on disk. Exit code 1 when a certificate is missing, unreadable or expired.`,
  status: `Usage: status [--json]
Shows each certificate, its next step, what failed, and what nginx serves right now. Exit code 1 when not all is well.`,
  "rotate-account-key": `Usage: rotate-account-key [--json]
Gives the account at the CA of CERTBOT_SERVER a new key; the old one is kept in accounts/set-aside.
Exit code 0: it has a new key. 1: the old one is still in use. 2: usage or settings.`,
  healthcheck: `Usage: healthcheck
What Docker's HEALTHCHECK asks the daemon. Exit code 1 with the reasons when an operator has to look.`,
};

/** Whether a command line asks for help; then it has been printed. */
export function printHelp(command: string, args: readonly string[], io: CommandIo): boolean {
  const text = HELP[command];
  if (text === undefined || !args.some((arg) => arg === "--help" || arg === "-h")) return false;
  io.out(`${text}\n`);
  return true;
}
