import { createHash } from "node:crypto";
import { join } from "node:path";
import { StoreError } from "./errors.ts";

/** The four files of a version, as certbot names them. */
export const KINDS = ["cert", "chain", "fullchain", "privkey"] as const;

/** One of {@link KINDS}. */
export type Kind = (typeof KINDS)[number];

const LONGEST_NAME = 200; // of the 255 bytes of a file name; the rest is for what we and certbot put around it

/** Whether a lineage's name can be one part of a path and one word of the certificate list. */
export function isSafeName(lineage: string): boolean {
  return /^[^./\s\p{Cc}][^/\s\p{Cc}]*$/u.test(lineage) && Buffer.byteLength(lineage) <= LONGEST_NAME;
}

/** Gives a safe name back; throws {@link unsafeName} for an empty one, a leading dot, a slash, a blank, too many bytes. */
export function safeName(lineage: string): string {
  if (isSafeName(lineage)) return lineage;
  throw unsafeName(lineage);
}

/** The error for a name that isn't safe. */
export function unsafeName(lineage: string): StoreError {
  return new StoreError({
    code: "LINEAGE_NAME_UNSAFE", // A certificate's name can't be a folder's name.
    message: `refused the certificate name ${JSON.stringify(lineage)}: it can't be the name of a folder here`,
    remedy: `Name it by letters, digits, dots and dashes, ${LONGEST_NAME} at most: put a shorter name first, or use --cert-name.`,
  });
}

/** Of the folder of our own files: nginx reads the list in it, as whatever user it has. */
export const SIDECAR_MODE = 0o755;

/**
 * Where everything is under `/etc/letsencrypt`. What we put into `live` and `renewal` beside certbot's own starts with a
 * dot, which certbot's listings pass over.
 */
export function treePaths(root: string) {
  const [live, archive, renewal] = [join(root, "live"), join(root, "archive"), join(root, "renewal")];
  const sidecar = join(root, "sidecar");
  const [ledgers, orders, notes] = [join(sidecar, "cas"), join(sidecar, "orders"), join(sidecar, "notes")];
  return {
    root,
    live,
    archive,
    renewal,
    hooks: join(root, "renewal-hooks"),
    sidecar,
    ledgers,
    orders,
    notes,
    conf: (lineage: string) => join(renewal, `${lineage}.conf`),
    /** The renewal conf of a version that isn't published yet. */
    preparedConf: (lineage: string) => join(renewal, `.${lineage}.conf.prepared`),
    archiveOf: (lineage: string) => join(archive, lineage),
    archived: (lineage: string, kind: Kind, version: number) => join(archive, lineage, `${kind}${version}.pem`),
    liveOf: (lineage: string) => join(live, lineage),
    /** The link that becomes `live/<lineage>` by one rename. */
    nextLink: (lineage: string) => join(live, `.${lineage}.next`),
    /** Where certbot's real folder `live/<lineage>` is for the moment in which our link takes its place. */
    adopted: (lineage: string) => join(live, `.${lineage}.adopted`),
    state: (lineage: string) => join(sidecar, `${lineage}.json`),
    note: (name: string) => join(notes, `${name}.json`),
    /** The order of a lineage that was not seen through. */
    order: (lineage: string) => join(orders, `${lineage}.json`),
    ledger: (directoryUrl: string) => join(ledgers, ledgerName(directoryUrl)),
    certificateList: join(sidecar, "certificates"),
    /** Written anew whenever a server on the host is to take over what is on disk. */
    reloadRequest: join(sidecar, "reload"),
  };
}

/** What {@link treePaths} gives. */
export type TreePaths = ReturnType<typeof treePaths>;

// Named for people after the URL, and for sure after its digest: no two URLs share a file.
function ledgerName(directoryUrl: string): string {
  const words = directoryUrl.replace(/^https:\/\//, "").replace(/[^A-Za-z0-9.-]+/g, "-");
  const digest = createHash("sha256").update(directoryUrl).digest("hex").slice(0, 16);
  return `${words.replace(/^[.-]+/, "").slice(0, 100)}-${digest}.json`;
}

/** A folder in `live` that holds the four links of one version. */
export type Generation = { readonly folder: string; readonly lineage: string; readonly version: number };

/** Name of the folder for a version; `attempt` tells apart folders for the same one. */
export function generationName(lineage: string, version: number, attempt = 0): string {
  return attempt === 0 ? `.${lineage}.${version}` : `.${lineage}.${version}-${attempt}`;
}

/** Reads a folder's name as {@link generationName} makes it; undefined for any other name. */
export function parseGeneration(folder: string): Generation | undefined {
  const match = /^\.(.+)\.(\d+)(?:-\d+)?$/.exec(folder);
  return match?.[1] && match[2] ? { folder, lineage: match[1], version: Number(match[2]) } : undefined;
}

/** The version number in an archive file's name or in a link to it; undefined for any other name. */
export function parseArchived(file: string): { readonly kind: Kind; readonly version: number } | undefined {
  const match = /(?:^|\/)(cert|chain|fullchain|privkey)(\d+)\.pem$/.exec(file);
  return match ? { kind: match[1] as Kind, version: Number(match[2]) } : undefined;
}
