import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseIdentifier } from "../../src/certificate/index.ts";
import type { IssuedCertificate, LineageSettings, NewVersion } from "../../src/reconcile/index.ts";
import { PRODUCTION } from "./a-policy.ts";
import { issueForTest, type IssueForTest } from "./issued-certificate.ts";
import { byWebroot } from "./challenges.ts";

const KINDS = ["cert", "chain", "fullchain", "privkey"] as const;

/** Settings as most lineages have them. */
export const SETTINGS: LineageSettings = {
  directoryUrl: PRODUCTION,
  keyType: "ecdsa-p256",
  challenges: byWebroot(),
  reuseKey: false,
  autorenew: true,
};

/** A version to be installed, for names that default to the lineage's own. */
export function newVersion(lineage: string, options: Partial<IssueForTest> & Partial<NewVersion> = {}): NewVersion {
  const { names = [lineage], notBefore, notAfter, settings = SETTINGS } = options;
  const life = { ...(notBefore && { notBefore }), ...(notAfter && { notAfter }) };
  const issued = options.issued ?? issueForTest({ names, ...life });
  return { lineage, identifiers: names.map(parseIdentifier), issued, settings };
}

/** Puts a lineage there as certbot itself does: a real folder in `live`, four links, a README, a conf. */
export async function putCertbotLineage(root: string, lineage: string, issued: IssuedCertificate): Promise<void> {
  const archive = join(root, "archive", lineage);
  const live = join(root, "live", lineage);
  for (const folder of [archive, live, join(root, "renewal")]) await mkdir(folder, { recursive: true });
  await writeArchived(archive, 1, issued);
  for (const kind of KINDS) await symlink(`../../archive/${lineage}/${kind}1.pem`, join(live, `${kind}.pem`));
  await writeFile(join(live, "README"), "This directory contains your keys and certificates.\n");
  await writeFile(join(root, "renewal", `${lineage}.conf`), certbotConf(root, lineage));
}

/** Writes the four files of a version into a lineage's archive folder. */
export async function writeArchived(archive: string, version: number, issued: IssuedCertificate): Promise<void> {
  const { certificatePem: cert, chainPem: chain, privateKeyPem: privkey } = issued;
  const texts = { cert, chain, fullchain: cert + chain, privkey };
  for (const kind of KINDS) {
    await writeFile(join(archive, `${kind}${version}.pem`), texts[kind], { mode: kind === "privkey" ? 0o600 : 0o644 });
  }
}

/** A conf as certbot writes it. */
export function certbotConf(root: string, lineage: string): string {
  return [
    "version = 5.5.0",
    `archive_dir = ${root}/archive/${lineage}`,
    ...KINDS.map((kind) => `${kind} = ${root}/live/${lineage}/${kind}.pem`),
    "",
    "# Options used in the renewal process",
    "[renewalparams]",
    "account = 0123456789abcdef0123456789abcdef",
    "authenticator = webroot",
    "webroot_path = /var/www/html,",
    "server = https://acme.test:14000/dir",
    "key_type = ecdsa",
    "[[webroot_map]]",
    `${lineage} = /var/www/html`,
    "",
  ].join("\n");
}

/** Every path under a folder, sorted; a link with its target. */
export async function listTree(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const lines = entries.map(async (entry) => {
    const { name } = entry;
    if (entry.isSymbolicLink()) return [`${name} -> ${await readlink(join(root, name))}`];
    return [name, ...(entry.isDirectory() ? (await listTree(join(root, name))).map((line) => `${name}/${line}`) : [])];
  });
  return (await Promise.all(lines)).flat().sort();
}

/** Whether what `live/<lineage>` shows is a certificate and its key: what a server finds out when it starts. */
export async function isServable(root: string, lineage: string): Promise<boolean> {
  const read = (kind: string) => readFile(join(root, "live", lineage, `${kind}.pem`), "utf8");
  try {
    const certificate = new X509Certificate(await read("fullchain"));
    return certificate.checkPrivateKey(createPrivateKey(await read("privkey")));
  } catch {
    return false;
  }
}
