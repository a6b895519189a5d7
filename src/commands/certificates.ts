import type { Inspection } from "../reconcile/index.ts";
import { EXIT, type CommandIo } from "./command-io.ts";
import { names, validUntil } from "./words.ts";

/** What the command needs. */
export type CertificatesParts = {
  readonly inspect: (options: { readonly withTargets: boolean; readonly signal: AbortSignal }) => Promise<Inspection>;
  /** certbot's configuration folder. */
  readonly tree: string;
  readonly now: () => Date;
};

/** `certificates [--json]`: what is on disk. Exit code 1 when a certificate is missing, unreadable or expired. */
export async function certificates(parts: CertificatesParts, args: readonly string[], io: CommandIo): Promise<number> {
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    io.err(`certificates: unknown option ${unknown}; only --json is possible\n`);
    return EXIT.usage;
  }
  const inspection = await parts.inspect({ withTargets: false, signal: io.signal });
  const rows = toRows(inspection, parts.now());
  if (args.includes("--json")) io.out(`${JSON.stringify({ certificates: rows }, null, 2)}\n`);
  else for (const row of rows) io.out(`${lines(row, parts)}\n`);
  if (rows.length === 0) io.out("No certificates: set CERTBOT_DOMAIN.\n");
  return rows.every(({ isGood }) => isGood) ? EXIT.ok : EXIT.failed;
}

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

function lines(row: Row, { now, tree }: CertificatesParts): string {
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
