import { isGood, type DesiredCertificate, type Inspection } from "../reconcile/index.ts";
import { EXIT } from "./command-io.ts";
import { jsonVerb, type CommandParts } from "./verb.ts";
import { names, validUntil } from "./words.ts";

/** What is on disk. Exit code 1 when a certificate is missing, unreadable or expired. */
export const certificates = jsonVerb({
  name: "certificates",
  help: `Usage: certificates [--json]
Shows what is on disk. Exit code 1 when a certificate is missing, unreadable or expired.`,
  isReadOnly: true,
  run: async (parts, isJson, io) => {
    const inspection = await parts.inspect({ withTargets: false, signal: io.signal });
    const rows = toRows(inspection);
    if (isJson) io.out(`${JSON.stringify({ certificates: rows }, null, 2)}\n`);
    else for (const row of rows) io.out(`${lines(row, parts)}\n`);
    if (rows.length === 0) io.out("No certificates: set CERTBOT_DOMAIN.\n");
    return inspection.picture.isWell ? EXIT.ok : EXIT.failed;
  },
});

type Seen = Pick<DesiredCertificate, "lineage" | "identifiers"> & Partial<DesiredCertificate>;

type Row = ReturnType<typeof toRows>[number];

function toRows({ certificates: readable, unreadable, picture }: Inspection) {
  const broken = unreadable.map(({ name, problem }) => ({ lineage: name, identifiers: [], problem }));
  const all: readonly Seen[] = [...readable.map(({ desired }) => desired), ...broken];
  return all.map(({ lineage, identifiers: asked, current, currentDirectoryUrl: directoryUrl, problem: why }) => {
    const { identifiers = asked, serial, issuer, fingerprint, validity } = current?.leaf ?? {};
    const about = { lineage, identifiers, version: current?.version, serial, issuer, fingerprint, validity };
    return { ...about, directoryUrl, problem: why?.message, isGood: isGood(validity, picture.at) };
  });
}

function lines(row: Row, { now, tree }: CommandParts): string {
  const { lineage, identifiers, validity, version, serial, issuer, problem } = row;
  const state = validity
    ? [
        `  Expiry: ${validUntil(validity, now())}`,
        `  Version: ${version}, serial ${serial}, issued by ${issuer}`,
        `  Certificate Path: ${tree}/live/${lineage}/fullchain.pem`,
        `  Private Key Path: ${tree}/live/${lineage}/privkey.pem`,
      ]
    : ["  not on disk yet"];
  const domains = identifiers.length > 0 ? [`  Domains: ${names(identifiers)}`] : [];
  return [`Certificate Name: ${lineage}`, ...domains, ...state, ...(problem ? [`  Problem: ${problem}`] : [])].join(
    "\n",
  );
}
