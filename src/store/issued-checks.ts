import { X509Certificate } from "node:crypto";
import {
  certificatesIn,
  identifierKey,
  isKeyOf,
  namesBeyond,
  readLeaf,
  type Identifier,
  type Leaf,
} from "../certificate/index.ts";
import type { NewVersion } from "../reconcile/index.ts";
import { StoreError } from "./errors.ts";

// A clock this slow harms nobody: visitors' own clocks decide whether they accept the certificate.
const SLOW_CLOCK_MS = 5 * 60 * 1000;

/**
 * Looks whether what the CA gave can be served: one leaf, all the names asked for, its own key, a chain that parses, a life that
 * `now` lies in. Gives the names that the CA has added: some do so with `www.`. Throws StoreError ISSUED_CERTIFICATE_UNUSABLE or
 * CLOCK_WRONG.
 */
export function checkIssued({ lineage, identifiers, issued }: NewVersion, now: Date): readonly string[] {
  const leaf = parse(lineage, issued.certificatePem, issued.chainPem);
  if (!isKeyOf(issued.certificatePem, issued.privateKeyPem))
    throw unusable(lineage, "the key is not the certificate's");
  const missing = namesBeyond(identifiers, leaf.identifiers);
  if (missing.length > 0) {
    const words = `${missing.join(", ")}, which was ordered, is not in it: it is for ${names(leaf.identifiers)}`;
    throw unusable(lineage, words);
  }
  checkClock(lineage, leaf, now);
  return namesBeyond(leaf.identifiers, identifiers);
}

function parse(lineage: string, certificatePem: string, chainPem: string): Leaf {
  const leaves = certificatesIn(certificatePem);
  if (leaves.length !== 1) throw unusable(lineage, `it has ${leaves.length} PEM certificates where one leaf belongs`);
  try {
    for (const block of certificatesIn(chainPem)) void new X509Certificate(block);
    return readLeaf(certificatePem);
  } catch (cause) {
    throw unusable(lineage, `it can't be parsed: ${String(cause)}`, cause);
  }
}

function checkClock(lineage: string, { validity }: Leaf, now: Date): void {
  const { notBefore, notAfter } = validity;
  if (now.getTime() >= notBefore.getTime() - SLOW_CLOCK_MS && now <= notAfter) return;
  const life = `${notBefore.toISOString()} to ${notAfter.toISOString()}`;
  throw new StoreError({
    code: "CLOCK_WRONG",
    message: `did not install the certificate for ${lineage}: this machine's clock says ${now.toISOString()}, the CA certified ${life}`,
    remedy: "Set this machine's clock right (NTP), then run update-cert.",
  });
}

function names(identifiers: readonly Identifier[]): string {
  return identifiers.map(identifierKey).join(", ") || "no name";
}

function unusable(lineage: string, reason: string, cause?: unknown): StoreError {
  return new StoreError({
    code: "ISSUED_CERTIFICATE_UNUSABLE", // What the CA sent doesn't fit the order (key, names). Nothing was installed.
    message: `did not install the CA's certificate for ${lineage}: ${reason}`,
    remedy: "Look at the CA's order with this message; the version in use stays, and the next check tries again.",
    cause,
  });
}
