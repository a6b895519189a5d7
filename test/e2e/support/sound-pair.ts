import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Stack } from "./stack.ts";

/**
 * The leaf on disk, once everything that a server needs has been found in order: the links of `live/` lead to one version,
 * the key is the leaf's, the chain signs it and is in `fullchain.pem`. Throws with what isn't.
 */
export function soundPair(stack: Stack, lineage = "demo.test"): Promise<X509Certificate> {
  return soundPairIn(stack.conf(), lineage);
}

/** As {@link soundPair}, for a tree that is anywhere on this machine. */
export async function soundPairIn(tree: string, lineage = "demo.test"): Promise<X509Certificate> {
  // Looked up once: a switch between two reads is no torn pair.
  const folder = await realpath(join(tree, "live", lineage));
  const names = ["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem"] as const;
  const paths = await Promise.all(names.map((name) => realpath(join(folder, name))));
  const versions = new Set(paths.map((path) => /(\d+)\.pem$/.exec(path)?.[1]));
  if (versions.size !== 1) throw new Error(`the links of ${folder} lead to several versions: ${paths.join(" ")}`);
  const [cert = "", chain = "", fullchain = "", key = ""] = await Promise.all(
    paths.map((path) => readFile(path, "utf8")),
  );
  const leaf = new X509Certificate(cert);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error(`${folder}: the key is not the certificate's`);
  if (fullchain !== cert + chain) throw new Error(`${folder}: fullchain.pem is not cert.pem and chain.pem`);
  const issuer = new X509Certificate(chain);
  if (!leaf.checkIssued(issuer) || !leaf.verify(issuer.publicKey))
    throw new Error(`${folder}: chain.pem did not sign cert.pem`);
  return leaf;
}
