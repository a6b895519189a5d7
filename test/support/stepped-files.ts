import type { FileSystem } from "../../src/store/index.ts";
import { isWrite, syncFiles } from "./sync-files.ts";

/** Called before each call on the file system, with its number from 1 on; what it throws is the call's result. */
export type OnStep = (step: number, call: string) => void;

/** The file system of `syncFiles`, with each call's number: for tests that fail or die at one. */
export function steppedFiles(onStep: OnStep): FileSystem {
  let step = 0;
  return syncFiles((call) => {
    step += 1;
    onStep(step, call);
  }).fs;
}

/** A file system that is dead from one writing call on, as to a process that was killed there: nothing is done any more. */
export function dyingFiles(dieAt: number): { readonly fs: FileSystem; readonly diedIn: () => string | undefined } {
  let diedIn: string | undefined;
  let writes = 0;
  const fs = steppedFiles((_, call) => {
    if (isWrite(call)) writes += 1;
    if (writes < dieAt) return;
    diedIn ??= call;
    throw new Error("dead");
  });
  return { fs, diedIn: () => diedIn };
}

/** A file system of which one writing call fails with a system error, as on a disk that is full for a moment. */
export function failingFiles(
  failAt: number,
  code: string,
): { readonly fs: FileSystem; readonly failedIn: () => string | undefined } {
  let failedIn: string | undefined;
  let writes = 0;
  const fs = steppedFiles((_, call) => {
    if (!isWrite(call) || (writes += 1) !== failAt) return;
    failedIn = call;
    throw Object.assign(new Error(`${code}: simulated, ${call}`), { code });
  });
  return { fs, failedIn: () => failedIn };
}
