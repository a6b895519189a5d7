import { createQueues } from "../certificate/index.ts";
import type { Log, Notebook, OpenNotebook } from "../ports/index.ts";
import { DurableFiles, REAL_FILES, type FileSystem } from "./durable-files.ts";
import { translated } from "./errors.ts";
import { MemoryFiles, type MemoryFile } from "./memory-files.ts";
import { SIDECAR_MODE, TreePaths } from "./tree-paths.ts";

// What a part remembers may be a secret of its operator's.
const FOLDER_MODE = 0o700;

/** What notebooks need. */
export type NotebookOptions = {
  /** certbot's configuration folder, `/etc/letsencrypt`. */
  readonly root: string;
  readonly log: Log;
  /** For tests that fail, or die, at one call. */
  readonly fs?: FileSystem | undefined;
};

/** Opens notebooks in `sidecar/notes/` under `root`: see {@link Notebook} for what each call promises. */
export function createNotebooks({ root, log, fs = REAL_FILES }: NotebookOptions): OpenNotebook {
  const paths = new TreePaths(root);
  const files = new DurableFiles(root, fs);
  const memory = new MemoryFiles(files, log);
  const oneAtATime = createQueues();
  return <Content>(name: string, fresh: Content, parse: (json: unknown) => Content): Notebook<Content> => {
    if (!/^[a-z0-9-]+$/.test(name)) throw new Error(`${JSON.stringify(name)} can't be the name of a notebook`);
    const path = paths.note(name);
    const file: MemoryFile<Content> = {
      path,
      parse: (text) => parse(JSON.parse(text)),
      fresh,
      about: { notebook: name },
    };
    const read = () => translated(`read the notebook ${name}`, path, () => memory.load(file));
    const write = async (content: Content) => {
      await files.ensureFolder(paths.sidecar, SIDECAR_MODE);
      await files.ensureFolder(paths.notes, FOLDER_MODE);
      await memory.save(path, content);
    };
    return {
      read: () => oneAtATime(name, read),
      change: (change) =>
        oneAtATime(name, async () => {
          const after = change(await read());
          await translated(`write the notebook ${name}`, path, () => write(after));
          return after;
        }),
    };
  };
}
