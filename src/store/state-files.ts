import { isIPv6 } from "node:net";
import type { Log } from "../ports/index.ts";
import {
  FRESH_STATE,
  freshLedger,
  type CaLedger,
  type LineageState,
  type LineageStore,
  type ServedLineage,
  type StoredOrder,
} from "../reconcile/index.ts";
import { translated } from "./errors.ts";
import { parseLedger } from "./ledger-text.ts";
import { MemoryFiles, type MemoryFile } from "./memory-files.ts";
import { parseOrder } from "./order-text.ts";
import { parseState, stateToWrite } from "./state-text.ts";
import { isSafeName, safeName, SIDECAR_MODE } from "./tree-paths.ts";
import type { Tree } from "./tree.ts";

// nginx's certificate step reads the list through a read-only mount, as whatever user it has.
const LIST_MODE = 0o644;
// Keys are in it.
const ORDERS_FOLDER_MODE = 0o700;

/** The part of a {@link LineageStore} that is our own, in `/etc/letsencrypt/sidecar/`; nothing is read or written yet. */
export function openStateFiles({ paths, files }: Tree, log: Log) {
  const memory = new MemoryFiles(paths, files, log);
  const stateOf = (lineage: string): MemoryFile<LineageState> => ({
    path: paths.state(safeName(lineage)),
    what: `the state of ${lineage}`,
    parse: parseState,
    fresh: FRESH_STATE,
    about: { lineage },
  });
  const orderOf = (lineage: string): MemoryFile<StoredOrder | undefined> => ({
    path: paths.order(safeName(lineage)),
    what: `the open order of ${lineage}`,
    folderMode: ORDERS_FOLDER_MODE,
    parse: parseOrder,
    fresh: undefined,
    about: { lineage },
  });
  const ledgerOf = (directoryUrl: string): MemoryFile<CaLedger> => ({
    path: paths.ledger(directoryUrl),
    what: `what was asked of ${directoryUrl}`,
    parse: (text, leftOut) => parseLedger(text, directoryUrl, leftOut),
    fresh: freshLedger(directoryUrl),
    about: { ca: directoryUrl },
  });
  return {
    loadState: async (lineage) => memory.load(stateOf(lineage)),
    saveState: async (lineage, state) => memory.save(stateOf(lineage), stateToWrite(state)),
    loadOrder: async (lineage) => memory.load(orderOf(lineage)),
    saveOrder: async (lineage, order) => memory.save(orderOf(lineage), order),
    async removeOrder(lineage) {
      const { path, what } = orderOf(lineage);
      await translated(`forget ${what}`, path, () => files.fs.rm(path, { force: true }));
    },
    loadLedger: (directoryUrl) => memory.load(ledgerOf(directoryUrl)),
    saveLedger: (ledger) => memory.save(ledgerOf(ledger.directoryUrl), ledger),
    async saveCertificateList(certificates) {
      // What can't be the name of a folder is left out: there is no such certificate, nor can there be one.
      const listed = certificates.filter(({ lineage }) => isSafeName(lineage));
      const text = listed.map(listLine).join("");
      await translated("save the list of certificates", paths.sidecar, async () => {
        if ((await files.readText(paths.certificateList)) === text) return;
        await files.ensureFolder(paths.sidecar, SIDECAR_MODE);
        await files.replace(paths.certificateList, text, { mode: LIST_MODE });
      });
    },
  } satisfies Partial<LineageStore>;
}

// `<lineage> <default|-> <real|test> <name> …`, the names as nginx writes them. The step takes no line with another character in
// it: a name that nginx can't have (no CA signs one) must not cost the others.
function listLine({ lineage, identifiers, isDefault, isReal }: ServedLineage): string {
  const names = identifiers.map(({ value }) => (isIPv6(value) ? `[${value}]` : value));
  const words = names.filter((name) => /^[a-z0-9*_.:[\]-]+$/.test(name));
  if (words.length === 0) return "";
  return `${[lineage, isDefault ? "default" : "-", isReal ? "real" : "test", ...words].join(" ")}\n`;
}
