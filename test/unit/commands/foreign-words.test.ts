import { expect, test } from "vitest";
import { OperatorError } from "../../../src/certificate/index.ts";
import { runCommand } from "../../../src/commands/index.ts";
import { commandParts } from "../../support/command-parts.ts";

const HOSTILE = "\u001b[2J\u001b]0;owned\u0007\u009b1A\u202eevil";

class Refused extends OperatorError {
  readonly code = "ACME_PROBLEM";
  readonly remedy = `Ask for ${HOSTILE}.`;
}

test("what a CA says can't take hold of the terminal, in progress, failure and remedy", async () => {
  let written = "";
  const write = (text: string) => void (written += text);
  const parts = commandParts({
    readOptions: () => ({
      isRehearsal: false,
      isForced: false,
      json: false,
      verbose: true,
      quiet: false,
    }),
    run: async (_mode, log) => {
      log.warn("profile.not-offered", { lineage: "a.test", profile: HOSTILE });
      log.info("order.created", { lineage: HOSTILE });
      log.debug("request.repeated", { reason: HOSTILE });
      throw new Refused(`The CA refused to say:\n${HOSTILE}`);
    },
  });
  const io = { out: write, err: write, isTty: true, signal: new AbortController().signal };
  expect(await runCommand(parts, { command: "update-cert", args: [] }, io)).toBe(1);
  expect(written).toContain("doesn't offer the profile \ufffd[2J");
  expect(written).toContain("The CA refused to say: [ACME_PROBLEM]\n\ufffd[2J");
  expect(written).toContain("what to do: Ask for \ufffd[2J");
  expect(written.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
