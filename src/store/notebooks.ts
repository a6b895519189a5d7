import { createQueues } from "../certificate/index.ts";
import type { Log, Notebook, OpenNotebook } from "../ports/index.ts";
import { DurableFiles, REAL_FILES, type TreeOptions } from "./durable-files.ts";
import { MemoryFiles, type MemoryFile } from "./memory-files.ts";
import { treePaths } from "./tree-paths.ts";

// What a part remembers may be a secret of its operator's.
const FOLDER_MODE = 0o700;

/** Opens notebooks in `sidecar/notes/` under `root`: see {@link Notebook} for what each call promises. */
export function createNotebooks({ root, log, fs = REAL_FILES }: TreeOptions & { readonly log: Log }): OpenNotebook {
  const paths = treePaths(root);
  const memory = new MemoryFiles(paths, new DurableFiles(root, fs), log);
  const oneAtATime = createQueues();
  return <Content>(name: string, fresh: Content, parse: (json: unknown) => Content): Notebook<Content> => {
    if (!/^[a-z0-9-]+$/.test(name)) throw new Error(`${JSON.stringify(name)} can't be the name of a notebook`);
    const file: MemoryFile<Content> = {
      path: paths.note(name),
      what: `the notebook ${name}`,
      folderMode: FOLDER_MODE,
      parse: (text) => parse(JSON.parse(text)),
      fresh,
      about: { notebook: name },
    };
    return {
      read: () => oneAtATime(name, () => memory.load(file)),
      change: (change) =>
        oneAtATime(name, async () => {
          const after = change(await memory.load(file));
          await memory.save(file, after, "write");
          return after;
        }),
    };
  };
}
