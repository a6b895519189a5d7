import { X509Certificate } from "node:crypto";
import { certificatesIn, wordsOf } from "../certificate/index.ts";
import { ValueProblem } from "./mistake.ts";
import { parsePath } from "./parse-values.ts";
import type { SettingSources } from "./read-settings.ts";

const ALLOWED = "the path of a PEM file in a mounted folder";

/** Reads the roots of a private CA's HTTPS from the file at `text`. Throws {@link ValueProblem}. */
export function readBundle(
  text: string,
  { readFile }: SettingSources,
): { readonly path: string; readonly pem: string } {
  const path = parsePath(text);
  const pem = readOr("can't be read in this container", () => readFile?.(path) ?? "");
  // OpenSSL skips what it can't read in a list of roots, without a word; so each block is read here first.
  readOr("holds certificates that can't be read", () => {
    const blocks = certificatesIn(pem);
    if (blocks.length === 0) throw new Error("there is no PEM certificate in it");
    for (const block of blocks) void new X509Certificate(block).subject;
  });
  return { path, pem };
}

function readOr<T>(problem: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw new ValueProblem(`${problem}: ${wordsOf(thrown)}`, ALLOWED);
  }
}
