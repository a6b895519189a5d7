import { EXIT } from "./command-io.ts";
import { jsonVerb } from "./verb.ts";
import { instant } from "./words.ts";

/** A new key for the ACME account (RFC 8555 §7.3.5), as soon as no check is under way. */
export const rotateAccountKey = jsonVerb({
  name: "rotate-account-key",
  help: `Usage: rotate-account-key [--json]
Gives the account at the CA of CERTBOT_SERVER a new key; the old one is kept in accounts/set-aside.
Exit code 0: it has a new key. 1: the old one is still in use. 2: usage or settings.`,
  isReadOnly: false,
  run: async (parts, isJson, io) => {
    const busySince = parts.busySince();
    if (busySince) io.err(`waiting for the check that has been running since ${instant(busySince)}\n`);
    const { previousId, account } = await parts.changeAccountKey(io.signal);
    if (isJson) io.out(`${JSON.stringify({ account: account.url, previousId, id: account.id })}\n`);
    else io.out(`${account.url} has a new key; certbot's id of the account is ${account.id}, it was ${previousId}\n`);
    return EXIT.ok;
  },
});
