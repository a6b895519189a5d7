// The thin client, whose program for the case without a daemon only says what it is told. With HELD_WORDS another has the lock then.
import { runCli } from "../../src/cli.ts";
import { VERBS } from "../../src/commands/index.ts";

process.exitCode = await runCli({
  verbs: VERBS,
  argv: [process.execPath, "cert-sidecar", ...process.argv.slice(2)],
  loadProgram: async () => ({
    runInPlace: async (request, { tree }) => {
      process.stdout.write(`in place: ${JSON.stringify({ ...request, tree })}\n`);
      const words = process.env["HELD_WORDS"];
      return words === undefined ? { kind: "done", exitCode: 7 } : { kind: "held", words };
    },
  }),
  acceptWithinMs: 500,
});
