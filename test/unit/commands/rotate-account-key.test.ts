import { expect, test } from "vitest";
import { runCommand, type CommandParts } from "../../../src/commands/index.ts";
import { OperatorError } from "../../../src/certificate/index.ts";
import type { KeyChange } from "../../../src/reconcile/index.ts";
import { commandParts } from "../../support/command-parts.ts";

const CHANGE: KeyChange = {
  previousId: "0".repeat(32),
  account: { id: "1".repeat(32), privateKeyPem: "secret", url: "https://ca.test/account/7" },
};

class Refused extends OperatorError {
  readonly code = "ACME_PROBLEM";
  readonly remedy = "Wait.";
}

async function rotate(args: readonly string[], changeAccountKey: CommandParts["changeAccountKey"]) {
  const written = { out: "", err: "" };
  const parts = commandParts({ changeAccountKey, busySince: () => new Date("2026-06-01T12:00:00Z") });
  const io = {
    out: (text: string) => void (written.out += text),
    err: (text: string) => void (written.err += text),
    isTty: false,
    signal: new AbortController().signal,
  };
  const code = await runCommand(parts, { command: "rotate-account-key", args }, io);
  return { code, ...written };
}

test("says in one line which account has a new key, and in another what it waited for", async () => {
  const { code, out, err } = await rotate([], async () => CHANGE);
  expect(code).toBe(0);
  expect(out).toMatch(/^https:\/\/ca\.test\/account\/7 .*1{32}.*0{32}\n$/);
  expect(err).toBe("waiting for the check that has been running since 2026-06-01 12:00:00 UTC\n");
});

test("gives one JSON document when asked, without the key", async () => {
  const { out } = await rotate(["--json"], async () => CHANGE);
  const { previousId, account } = CHANGE;
  expect(JSON.parse(out)).toEqual({ account: account.url, previousId, id: account.id });
});

test("ends with 1 and the remedy when the CA refuses, and with 2 for an unknown option", async () => {
  const refused = await rotate([], () => Promise.reject(new Refused("The CA refused")));
  expect(refused).toMatchObject({ code: 1, out: "", err: expect.stringContaining("what to do: Wait.") });
  const unknown = await rotate(["--all"], () => Promise.reject(new Error("must not be asked")));
  expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining("--all") });
});
