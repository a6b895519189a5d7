import { readLeaf } from "../../src/certificate/index.ts";
import type { Version } from "../../src/reconcile/index.ts";

/** The version of `a.test` that a pair is, as a target is given it. */
export function aVersion({
  certificatePem,
  keyPem,
}: {
  readonly certificatePem: string;
  readonly keyPem: string;
}): Version {
  const { identifiers, fingerprint, validity } = readLeaf(certificatePem);
  const pair = async () => ({ privateKeyPem: keyPem, chainPem: certificatePem });
  return { lineage: "a.test", identifiers, fingerprint, validity, version: 1, isNew: true, pair };
}
