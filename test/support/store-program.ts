import { createLineageStore, StoreError } from "../../src/store/index.ts";
import { isServable, listTree, newVersion } from "./lineage-tree.ts";
import { collectLog } from "./collected-log.ts";
import { CONFS } from "./challenges.ts";

// A program for tests, to be run in a container with mounts that this machine doesn't have: installs versions of a.test
// into /etc/letsencrypt, as many as asked for or until one fails, recovers, and prints what it saw as JSON.
const root = "/etc/letsencrypt";
const store = createLineageStore({ root, challenges: CONFS, log: collectLog() });

type Seen = { readonly installed: number; readonly failure?: { readonly code: string; readonly message: string } };

async function installUntilFailure(count: number, installed = 0): Promise<Seen> {
  if (installed === count) return { installed };
  try {
    await store.install(newVersion("a.test"), new Date());
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown;
    return { installed, failure: { code: thrown.code, message: thrown.message } };
  }
  return installUntilFailure(count, installed + 1);
}

const seen = await installUntilFailure(Number(process.argv[2]));
const tree = await listTree(root);
const isShown = await isServable(root, "a.test");
const recovered = await store.recover();
const [listed] = await store.list();
const version = listed?.current?.version;
process.stdout.write(JSON.stringify({ ...seen, tree, isShown, recovered, version, problem: listed?.problem?.code }));
