import * as nodeFiles from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { FileSystem } from "../../src/store/index.ts";

/** Called before each call on the file system, with its number from 1 on; what it throws is the call's result. */
export type OnStep = (step: number, call: string) => void;

/**
 * The real file system, with a hook before each call, those on open files included: for tests that fail or die at one.
 * Only fsync does nothing: it is what takes the time, and what it is for is seen by `powerCuts` alone.
 */
export function steppedFiles(onStep: OnStep): FileSystem {
  let step = 0;
  const stepped = <T extends object>(target: T, prefix: string): T =>
    new Proxy(target, {
      get(inner, property) {
        const value: unknown = Reflect.get(inner, property);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          step += 1;
          onStep(step, `${prefix}${String(property)} ${args.filter((arg) => typeof arg === "string").join(" ")}`);
          if (prefix === "file." && property === "sync") return undefined;
          const result: unknown = await Reflect.apply(value, inner, args);
          return property === "open" ? stepped(result as FileHandle, "file.") : result;
        };
      },
    });
  return stepped({ ...nodeFiles }, "");
}

/** Whether a call, as {@link OnStep} has it, writes: to die before one that only reads is to die before the next one that does. */
export function isWrite(call: string): boolean {
  return !/^(?:stat|lstat|readdir|readFile|readlink|file\.(?:close|stat|Symbol))\b/.test(call);
}

/** A file system that is dead from one writing call on, as to a process that was killed there: nothing is done any more. */
export function dyingFiles(dieAt: number): { readonly fs: FileSystem; readonly diedIn: () => string | undefined } {
  let diedIn: string | undefined;
  let writes = 0;
  const fs = steppedFiles((_, call) => {
    if (isWrite(call)) writes += 1;
    // The kernel closes a dead process's files.
    if (writes < dieAt || /^file\.(?:close|Symbol)/.test(call)) return;
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
