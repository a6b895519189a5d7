// The thin client with other sockets than the installed one: argv[2] holds them as JSON, the words after it are the command.
// With HELD_WORDS another has the lock when the command is done in place.
import { runCli } from "../../src/cli.ts";

process.exitCode = await runCli({
  argv: [process.execPath, "cert-sidecar", ...process.argv.slice(3)],
  sockets: JSON.parse(process.argv[2] ?? "[]") as string[],
  loadProgram: async () => ({
    runInPlace: async (request) => {
      process.stdout.write(`in place: ${JSON.stringify(request)}\n`);
      const words = process.env["HELD_WORDS"];
      return words === undefined ? { kind: "done", exitCode: 7 } : { kind: "held", words };
    },
  }),
  acceptWithinMs: 500,
});
