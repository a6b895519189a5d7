import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { symlinkSync, utimesSync, writeFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { FileSystem } from "../../src/store/index.ts";
import { isWrite, syncFiles } from "./sync-files.ts";
import { folderInMemory } from "./temporary-folder.ts";

/** What a disk holds after a power cut. */
export type Cut = {
  /** The call before which the power failed; `done` when all had been done. */
  readonly call: string;
  /** Which names had got to the disk though their folders were not synced. Contents never have. */
  readonly names: keyof typeof EAGER;
  readonly root: string;
};

// A file system may write a name whenever it likes to, and before others that came first.
const EAGER = {
  none: () => false,
  "live's": (folder: string) => folder.startsWith("/live"),
  all: () => true,
} as const;

/**
 * Does something to the tree in `root`, and gives what a disk that loses all that isn't synced would hold if the power failed
 * before any one of its calls, or after the last one. Where a call changes nothing of that, there is one cut for it and the next.
 * The folders go when the test ends.
 */
export async function powerCuts(root: string, act: (fs: FileSystem) => Promise<unknown>): Promise<Cut[]> {
  const parent = await folderInMemory();
  const cuts: Cut[] = [];
  const last = new Map<string, Left>();
  const disk = new FragileDisk(root);
  const cut = (call: string) => {
    for (const names of Object.keys(EAGER) as (keyof typeof EAGER)[]) {
      const left = disk.left(EAGER[names]);
      // As it would have been before the call before.
      if (call !== "done" && isDeepStrictEqual(left, last.get(names))) continue;
      last.set(names, left);
      const path = join(parent, String(cuts.length));
      write(left, path);
      cuts.push({ call, names, root: path });
    }
  };
  await act(disk.files((call) => void (isWrite(call) && cut(call))));
  cut("done");
  return cuts;
}

type Content = { readonly data: Buffer; readonly mtime: Date };
type Entry =
  | { readonly kind: "file"; synced: Content | undefined }
  | { readonly kind: "folder"; readonly names: Map<string, Entry>; synced: ReadonlyMap<string, Entry> }
  | { readonly kind: "link"; readonly target: string };

/** What is left of an entry: a link's target, a file's content, a folder's names. */
type Left = string | Content | Map<string, Left>;

/** The real files under `root`, all synced to begin with, and what of them would be left without power. */
class FragileDisk {
  readonly #root: string;
  readonly #top: Entry;

  constructor(root: string) {
    this.#root = root;
    this.#top = load(root, { isSynced: true });
  }

  files(onCall: (call: string) => void): FileSystem {
    return watched(syncFiles(() => undefined).fs, "", onCall, (call, args, result) => {
      const [path = "", other = ""] = args.map((arg) => (typeof arg === "string" ? arg : ""));
      if (call === "open") {
        if (other.includes("x")) this.#put(path, { kind: "file", synced: undefined });
        const entry = this.#find(path);
        return watched(result as FileHandle, "file.", onCall, (done) => void (done === "sync" && sync(entry, path)));
      }
      if (call === "mkdir" && !this.#find(path)) this.#put(path, load(path, { isSynced: false }));
      if (call === "symlink") this.#put(other, { kind: "link", target: path });
      if (call === "rename") this.#put(other, this.#take(path));
      if (["rm", "rmdir", "unlink"].includes(call)) this.#take(path);
      return result;
    });
  }

  left(isEager: (folder: string) => boolean): Left {
    return leftOf(this.#top, "/", isEager);
  }

  #find(path: string): Entry | undefined {
    const steps = relative(this.#root, path).split("/").filter(Boolean);
    return steps.reduce<Entry | undefined>((at, step) => namesOf(at).get(step), this.#top);
  }

  #put(path: string, entry: Entry | undefined): void {
    if (entry) namesOf(this.#find(dirname(path))).set(basename(path), entry);
  }

  #take(path: string): Entry | undefined {
    const entry = this.#find(path);
    namesOf(this.#find(dirname(path))).delete(basename(path));
    return entry;
  }
}

type AfterCall = (call: string, args: readonly unknown[], result: unknown) => unknown;

function watched<T extends object>(target: T, prefix: string, onCall: (call: string) => void, afterCall: AfterCall): T {
  return new Proxy(target, {
    get(inner, property) {
      const value: unknown = Reflect.get(inner, property);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        onCall(`${prefix}${String(property)} ${args.filter((arg) => typeof arg === "string").join(" ")}`);
        const result: unknown = await Reflect.apply(value, inner, args);
        return afterCall(String(property), args, result) ?? result;
      };
    },
  });
}

function namesOf(entry: Entry | undefined): Map<string, Entry> {
  return entry?.kind === "folder" ? entry.names : new Map<string, Entry>();
}

function load(path: string, { isSynced }: { readonly isSynced: boolean }): Entry {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return { kind: "link", target: readlinkSync(path) };
  if (found.isFile()) return { kind: "file", synced: isSynced ? contentOf(path) : undefined };
  const names = new Map(readdirSync(path).map((name) => [name, load(join(path, name), { isSynced })]));
  return { kind: "folder", names, synced: new Map(isSynced ? names : []) };
}

function contentOf(path: string): Content {
  return { data: readFileSync(path), mtime: statSync(path).mtime };
}

function sync(entry: Entry | undefined, path: string): void {
  if (entry?.kind === "folder") entry.synced = new Map(entry.names);
  if (entry?.kind === "file") entry.synced = contentOf(path);
}

function leftOf(entry: Entry, path: string, isEager: (folder: string) => boolean): Left {
  if (entry.kind === "link") return entry.target;
  if (entry.kind === "file") return entry.synced ?? { data: Buffer.alloc(0), mtime: new Date(0) };
  const names = [...(isEager(path) ? entry.names : entry.synced)];
  return new Map(names.map(([name, inner]) => [name, leftOf(inner, join(path, name), isEager)]));
}

function write(left: Left, path: string): void {
  if (typeof left === "string") return symlinkSync(left, path);
  if (left instanceof Map) {
    mkdirSync(path);
    for (const [name, inner] of left) write(inner, join(path, name));
    return;
  }
  writeFileSync(path, left.data);
  utimesSync(path, left.mtime, left.mtime);
}
