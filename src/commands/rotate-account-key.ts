import type { KeyChange } from "../reconcile/index.ts";
import { EXIT, type CommandIo } from "./command-io.ts";
import { instant } from "./words.ts";

/** What the command needs. */
export type RotateAccountKeyParts = {
  /** Gives the account at the CA of the settings a new key as soon as no check is under way. */
  readonly changeAccountKey: (client: AbortSignal) => Promise<KeyChange>;
  /** Since when a check is under way, for which this has to wait. */
  readonly busySince: () => Date | undefined;
};

/** `rotate-account-key [--json]`: a new key for the ACME account (RFC 8555 §7.3.5). Throws OperatorError. */
export async function rotateAccountKey(
  parts: RotateAccountKeyParts,
  args: readonly string[],
  io: CommandIo,
): Promise<number> {
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    io.err(`rotate-account-key: unknown option ${unknown}; only --json is possible\n`);
    return EXIT.usage;
  }
  const busySince = parts.busySince();
  if (busySince) io.err(`waiting for the check that has been running since ${instant(busySince)}\n`);
  const { previousId, account } = await parts.changeAccountKey(io.signal);
  if (args.includes("--json")) io.out(`${JSON.stringify({ account: account.url, previousId, id: account.id })}\n`);
  else io.out(`${account.url} has a new key; certbot's id of the account is ${account.id}, it was ${previousId}\n`);
  return EXIT.ok;
}
