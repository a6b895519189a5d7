import type { Identity } from "./protocol.ts";

/**
 * What a process leaves in the lock's folder to say that it lives. Its name is used once and never again, so a mark that
 * was seen dead stays dead and may be removed by anybody. It is alive from the moment it has its name.
 */
export interface Mark {
  /** The file's name in the folder. */
  readonly name: string;
  /** How often `isThere` is worth asking, in ms. */
  readonly checkEveryMs: number;
  /** Whether the mark is still what others see: false once it was removed, or has not been kept up. */
  isThere(): Promise<boolean>;
  /** Makes the control socket found by clients, replacing whoever's it was. May run twice. Holder only. */
  publish(): Promise<void>;
  /** Takes mark and control socket away; the lock is free from here on. May run twice, never rejects. */
  withdraw(): Promise<void>;
}

/** What a mark of another process shows when it is looked at. */
export type Sighting = {
  readonly name: string;
  readonly isAlive: boolean;
  readonly identity?: Identity | undefined;
  /** Why it could not be asked who it is. */
  readonly problem?: string | undefined;
};

const MARK = /^control\.[0-9a-f]{12}\.(?:sock|beat)$/;

/** Name of a live mark of this kind; `unborn` is the name before it is one, which nobody looks at. */
export function markName(instance: string, kind: "sock" | "beat" | "unborn"): string {
  return `control.${instance}.${kind}`;
}

/** Whether a file in the lock's folder is a mark. */
export function isMarkName(name: string): boolean {
  return MARK.test(name);
}

/** Draws a name part that no other mark has: 48 bits from `random` (0 to 1). */
export function drawInstance(random: () => number): string {
  const half = () =>
    Math.floor(random() * 2 ** 24)
      .toString(16)
      .padStart(6, "0");
  return half() + half();
}
