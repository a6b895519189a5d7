import { hasErrno, isKeyOf, readLeaf } from "../certificate/index.ts";
import type { LineageVersion } from "../reconcile/index.ts";

/** What reading a version's files showed. */
export type VersionFinding = { readonly kind: "good"; readonly version: LineageVersion } | BrokenVersion;

/** Why a version can't be served. */
export type BrokenVersion = {
  readonly kind: "broken";
  readonly reason: string;
  /** The system error that kept us from reading; nothing is known of the version then. */
  readonly unreadable?: unknown;
};

/** The texts of a version that a server needs. */
export type ServerPair = { readonly fullchainPem: string; readonly privateKeyPem: string };

/** Judges a pair of texts: the leaf parses and the key is its own. */
export function judgePair(number: number, { fullchainPem, privateKeyPem }: ServerPair): VersionFinding {
  try {
    const leaf = readLeaf(fullchainPem);
    if (isKeyOf(fullchainPem, privateKeyPem)) return { kind: "good", version: { version: number, leaf } };
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
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return hasErrno(thrown, "ENOENT", "ENOTDIR", "ELOOP", "EISDIR")
    ? { kind: "broken", reason }
    : { kind: "broken", reason, unreadable: thrown };
}
