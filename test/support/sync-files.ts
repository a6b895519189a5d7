import * as files from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { FileSystem } from "../../src/store/index.ts";

/** A process's way to the disk, and what the kernel does when that process is gone. */
export type SyncFiles = { readonly fs: FileSystem; readonly closeAll: () => void };

/**
 * The real file system, each call done at once: no thread pool, so that a run can be repeated, and quicker by half. `onCall` is
 * called before each one, those on open files included; what it throws is the call's result, and a promise is waited for. A file
 * that is closed is closed in any case, as the kernel does for a dead process. fsync does nothing: it is what takes the time,
 * and what it is for is seen by `powerCuts` alone.
 */
export function syncFiles(onCall: (call: string) => unknown): SyncFiles {
  const openFiles = new Set<number>();
  const close = (file: number) => {
    if (openFiles.delete(file)) files.closeSync(file);
  };
  const done =
    <Args extends unknown[], Result>(name: string, act: (...args: Args) => Result) =>
    async (...args: Args): Promise<Result> => {
      await onCall([name, ...args.filter((arg) => typeof arg === "string")].join(" "));
      return act(...args);
    };
  const closing = (file: number) => async () => {
    try {
      await onCall("file.close");
    } finally {
      close(file);
    }
  };
  const calls = {
    chown: done("chown", files.chownSync),
    lstat: done("lstat", files.lstatSync),
    mkdir: done("mkdir", files.mkdirSync),
    readdir: done("readdir", files.readdirSync),
    readFile: done("readFile", files.readFileSync),
    readlink: done("readlink", files.readlinkSync),
    rename: done("rename", files.renameSync),
    rm: done("rm", files.rmSync),
    stat: done("stat", files.statSync),
    symlink: done("symlink", files.symlinkSync),
    unlink: done("unlink", files.unlinkSync),
    open: done("open", (path: string, flags?: string | number, mode?: number): Partial<FileHandle> => {
      const file = files.openSync(path, flags ?? "r", mode);
      openFiles.add(file);
      return {
        fd: file,
        chmod: done("file.chmod", (mode: number) => files.fchmodSync(file, mode)),
        chown: done("file.chown", (uid: number, gid: number) => files.fchownSync(file, uid, gid)),
        readFile: done("file.readFile", () => files.readFileSync(file)) as FileHandle["readFile"],
        stat: done("file.stat", () => files.fstatSync(file)) as FileHandle["stat"],
        utimes: done("file.utimes", (atime: Date, mtime: Date) => files.futimesSync(file, atime, mtime)),
        writeFile: done("file.writeFile", (data: string | Uint8Array) => files.writeFileSync(file, data)),
        sync: done("file.sync", () => undefined),
        close: closing(file),
        [Symbol.asyncDispose]: closing(file),
      };
    }),
  };
  return {
    fs: calls as unknown as FileSystem, // the promises have overloads, of which the store uses the plain ones
    closeAll: () => openFiles.forEach(close),
  };
}

/** Whether a call of {@link syncFiles} writes: to die before one that only reads is to die before the next one that does. */
export function isWrite(call: string): boolean {
  return !/^(?:stat|lstat|readdir|readFile|readlink|file\.(?:close|readFile|stat))\b/.test(call);
}

/** Whether a call of {@link syncFiles} needs room on the disk. */
export function needsRoom(call: string): boolean {
  return /^(?:mkdir|symlink|open .*\.new|file\.writeFile)/.test(call);
}
