import { expect, test } from "vitest";
import { runCommand, VERBS } from "../../../src/commands/index.ts";
import { commandParts } from "../../support/command-parts.ts";

async function run(command: string, ...args: readonly string[]) {
  const written = { out: "", err: "" };
  const io = {
    out: (text: string) => void (written.out += text),
    err: (text: string) => void (written.err += text),
    isTty: false,
    signal: new AbortController().signal,
  };
  return { code: await runCommand(commandParts({}), { command, args }, io), ...written };
}

test.each(VERBS.map(({ name }) => name))("%s says how it is used, and does nothing then", async (name) => {
  const expected = { code: 0, out: expect.stringMatching(`^Usage: ${name}\\b`), err: "" };
  expect(await run(name, "--help")).toEqual(expected);
  expect(await run(name, "--nonsense", "-h")).toEqual(expected);
});

test("no two verbs have one name, and each is good for a link", () => {
  const names = VERBS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z][a-z-]+$/.test(name))).toEqual([]);
});

test("a command that there isn't ends with 2 and names those there are", async () => {
  const err = "cert-sidecar: there is no command bogus; there are update-cert, certificates, status, ";
  expect(await run("bogus")).toEqual({ code: 2, out: "", err: expect.stringContaining(err) });
});

const withJsonAlone = VERBS.filter(({ name, help }) => help.startsWith(`Usage: ${name} [--json]\n`));

test.each(withJsonAlone.map(({ name }) => name))("%s refuses any option but --json", async (name) => {
  const err = `${name}: unknown option --all; only --json is possible\n`;
  expect(await run(name, "--json", "--all")).toEqual({ code: 2, out: "", err });
});

test("most verbs have no other option", () => {
  expect(withJsonAlone.length).toBeGreaterThanOrEqual(3);
});
