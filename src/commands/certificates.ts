import type { Inspection } from "../reconcile/index.ts";
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
    const rows = toRows(inspection, parts.now());
    if (isJson) io.out(`${JSON.stringify({ certificates: rows }, null, 2)}\n`);
    else for (const row of rows) io.out(`${lines(row, parts)}\n`);
    if (rows.length === 0) io.out("No certificates: set CERTBOT_DOMAIN.\n");
    return rows.every(({ isGood }) => isGood) ? EXIT.ok : EXIT.failed;
  },
});

type Row = ReturnType<typeof toRows>[number];

function toRows({ certificates: inspected, unreadable }: Inspection, now: Date) {
  const readable = inspected.map(({ desired }) => ({
    lineage: desired.lineage,
    identifiers: desired.current?.leaf.identifiers ?? desired.identifiers,
    version: desired.current?.version,
    serial: desired.current?.leaf.serial,
    issuer: desired.current?.leaf.issuer,
    fingerprint: desired.current?.leaf.fingerprint,
    validity: desired.current?.leaf.validity,
    directoryUrl: desired.currentDirectoryUrl,
    problem: desired.problem?.message,
    isGood: desired.current !== undefined && desired.current.leaf.validity.notAfter > now,
  }));
  const broken = unreadable.map(({ name, problem }) => ({
    lineage: name,
    identifiers: [],
    version: undefined,
    serial: undefined,
    issuer: undefined,
    fingerprint: undefined,
    validity: undefined,
    directoryUrl: undefined,
    problem: problem?.message,
    isGood: false,
  }));
  return [...readable, ...broken];
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
