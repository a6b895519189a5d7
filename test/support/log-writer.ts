// Writes log lines to stdout after its parent has gone from the other end of it; says on stderr that it got to its end.
import { createLog } from "../../src/system/index.ts";

const log = await createLog({
  level: "info",
  format: process.argv[2] === "pretty" ? "pretty" : "json",
  destination: 1,
});
log.info("daemon.started");
process.stdin.resume();
process.stdin.on("end", () => {
  for (let count = 0; count < 100; count += 1) log.info("check.finished", { count });
  setImmediate(() => process.stderr.write("done"));
});
