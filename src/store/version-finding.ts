import { hasErrno, isKeyOf, readLeaf, wordsOf } from "../certificate/index.ts";
import type { LineageVersion } from "../reconcile/index.ts";
import type { Kind } from "./tree-paths.ts";

/** What reading a version's files showed. */
export type VersionFinding = { readonly kind: "good"; readonly version: LineageVersion } | BrokenVersion;

/** Why a version can't be served. */
export type BrokenVersion = {
  readonly kind: "broken";
  readonly reason: string;
  /** The system error that kept us from reading; nothing is known of the version then. */
  readonly unreadable?: unknown;
};

/** The four texts of a version. */
export type VersionTexts = Readonly<Record<Kind, string>>;

/** Those that a server needs. */
export type ServerPair = Pick<VersionTexts, "fullchain" | "privkey">;

/** Judges a pair of texts: the leaf parses and the key is its own. */
export function judgePair(number: number, { fullchain, privkey }: ServerPair): VersionFinding {
  try {
    const leaf = readLeaf(fullchain);
    if (isKeyOf(fullchain, privkey)) return { kind: "good", version: { version: number, leaf } };
    return { kind: "broken", reason: `the key of version ${number} is not its certificate's` };
  } catch (thrown) {
    return { kind: "broken", reason: `the certificate of version ${number} can't be parsed: ${String(thrown)}` };
  }
}

/**
 * What a system error while reading means: a missing file is broken for good; a file we may not read, or a disk that
 * fails, says nothing about the version, so nothing may be mended or removed because of it.
 */
export function fromReadError(thrown: unknown): VersionFinding {
  const broken = { kind: "broken", reason: wordsOf(thrown) } as const;
  return hasErrno(thrown, "ENOENT", "ENOTDIR", "ELOOP", "EISDIR") ? broken : { ...broken, unreadable: thrown };
}
