import type { Socket } from "node:net";
import type { Clock } from "../ports/index.ts";
import type { Identity } from "./identity.ts";

/**
 * What a process leaves in the lock's folder to say that it lives. Its name is used once and never again, so a file that
 * was seen dead stays dead and may be removed by anybody. It is alive from the moment it has its name.
 */
export interface LivenessFile {
  /** The file's name in the folder. */
  readonly name: string;
  /** How often `isThere` is worth asking, in ms. */
  readonly checkEveryMs: number;
  /** Whether the file is still what others see: false once it was removed, or has not been kept up. */
  isThere(): Promise<boolean>;
  /** Makes the control socket found by clients, replacing whoever's it was. May run twice. Holder only. */
  publish(): Promise<void>;
  /** Takes the file and the control socket away; the lock is free from here on. May run twice, never rejects. */
  withdraw(): Promise<void>;
}

/** A folder with liveness files, as all its users have it. */
export type LivenessFolder = {
  readonly folder: string;
  /** Time between two heartbeats, in ms. */
  readonly beatEveryMs: number;
  readonly clock: Clock;
};

/** What a liveness file is made of. */
export type Announcement = LivenessFolder & {
  /** Where the control socket is when `folder` can't have it; private to this container. */
  readonly runFolder: string;
  /** A name part that no other liveness file has: twelve hexadecimal digits. */
  readonly instance: string;
  readonly identify: () => Identity;
  readonly onConnection: (connection: Socket) => void;
};

const LIVENESS_FILE = /^control\.[0-9a-f]{12}\.(?:sock|beat)$/;

/** Name of a liveness file of this kind; `unborn` is the name before it is one, which nobody reads. */
export function livenessName(instance: string, kind: "sock" | "beat" | "unborn"): string {
  return `control.${instance}.${kind}`;
}

/** Whether a file in the lock's folder is a liveness file. */
export function isLivenessName(name: string): boolean {
  return LIVENESS_FILE.test(name);
}
