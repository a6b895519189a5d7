import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A version that `live/` shows. */
export type ShownVersion = {
  readonly lineage: string;
  readonly fingerprint: string;
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
};

/**
 * Reads what `live/` shows of each lineage, as a server would, and checks what hasn't been seen before: the key belongs to the
 * certificate, the chain signs it, the files belong together. Throws an Error that says what is wrong.
 */
export function readShown(root: string, known: Map<string, ShownVersion>): ShownVersion[] {
  const live = join(root, "live");
  if (!existsSync(live)) return [];
  const lineages = readdirSync(live).filter((name) => !name.startsWith(".") && name !== "README");
  return lineages
    .filter((lineage) => existsSync(join(live, lineage, "fullchain.pem")))
    .map((lineage) => {
      const read = (kind: string) => readFileSync(join(live, lineage, `${kind}.pem`), "utf8");
      const text = read("fullchain") + read("privkey") + read("cert") + read("chain");
      const seen = known.get(text);
      if (seen) return seen;
      const version = checkVersion(lineage, {
        fullchain: read("fullchain"),
        cert: read("cert"),
        chain: read("chain"),
        privkey: read("privkey"),
      });
      known.set(text, version);
      return version;
    });
}

type Texts = { readonly fullchain: string; readonly cert: string; readonly chain: string; readonly privkey: string };

function checkVersion(lineage: string, { fullchain, cert, chain, privkey }: Texts): ShownVersion {
  if (fullchain !== cert + chain) throw new Error(`live/${lineage}: fullchain.pem is not cert.pem and chain.pem`);
  const leaf = new X509Certificate(fullchain);
  if (!leaf.checkPrivateKey(createPrivateKey(privkey))) throw new Error(`live/${lineage}: the key is another one's`);
  if (!leaf.verify(new X509Certificate(chain).publicKey)) throw new Error(`live/${lineage}: the chain doesn't sign it`);
  const names = (leaf.subjectAltName ?? "").split(", ").map((name) => name.replace("DNS:", ""));
  return {
    lineage,
    fingerprint: leaf.fingerprint256,
    names: names.sort(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  };
}
