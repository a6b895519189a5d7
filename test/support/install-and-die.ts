import { createLineageStore } from "../../src/store/index.ts";
import { newVersion } from "./lineage-tree.ts";
import { collectLog } from "./collected-log.ts";
import { steppedFiles } from "./stepped-files.ts";
import { CONFS } from "./challenges.ts";

// A program for tests: installs a version into a tree and kills itself at one call on the file system.
const [root = "", lineage = "", dieAt = ""] = process.argv.slice(2);
const fs = steppedFiles((step) => {
  if (step === Number(dieAt)) process.kill(process.pid, "SIGKILL");
});
await createLineageStore({ root, challenges: CONFS, fs, log: collectLog() }).install(newVersion(lineage), new Date());
