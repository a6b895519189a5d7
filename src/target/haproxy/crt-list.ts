import { basename, dirname, join } from "node:path";
import type { ServedCertificate } from "../../reconcile/index.ts";

/** Where things are, by the same paths in HAProxy's container and in ours. */
export type HaproxyPaths = {
  /** The runtime API's socket. */
  readonly socket: string;
  readonly folder: string;
  readonly crtList: string;
};

/** One line of a crt-list as HAProxy has it in memory; `line` is its number. */
export type Entry = { readonly path: string; readonly line: string; readonly rest: string };

/** A line of ours in the crt-list; `isDefault`: for clients that name no server HAProxy takes its first line. */
export type Wanted = {
  readonly lineage: string;
  readonly path: string;
  readonly rest: string;
  readonly isDefault?: boolean;
};

/** The filter that serves no name. */
export const NO_NAME = "!*";

type Named = Pick<ServedCertificate, "lineage" | "identifiers">;

// Whatever else is in the folder is the operator's own.
const SUFFIX = ".cert-sidecar.pem";
const HEAD =
  "# cert-sidecar keeps the lines of its own files, which end in .cert-sidecar.pem; all others are left as they are.";

/** All that is shared lies in the socket's folder, so that one mount is enough. */
export function pathsBeside(socket: string): HaproxyPaths {
  const folder = dirname(socket);
  return { socket, folder, crtList: join(folder, "crt-list.txt") };
}

/**
 * The file of a lineage and the names that HAProxy is to serve with it, as a filter. An address is never among the names that
 * clients ask for (RFC 6066 §3), and a line without any filter would serve all that the certificate has: `!*` serves none.
 */
export function wantedLine({ folder }: HaproxyPaths, { lineage, identifiers }: Named): Wanted {
  const names = identifiers.filter(({ type }) => type === "dns").map(({ value }) => value);
  const isDefault = names.length < identifiers.length;
  return {
    lineage,
    path: join(folder, fileName(lineage)),
    rest: names.length === 0 ? NO_NAME : names.join(" "),
    isDefault,
  };
}

// A space, a semicolon or a line break would be another command to the runtime API, and a first `*` its transaction.
function fileName(lineage: string): string {
  const plain = encodeURIComponent(lineage).replaceAll(/[!'()*~]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
  return plain + SUFFIX;
}

/** The lineage of a file of ours, as the file has it. */
export function lineageOf(path: string): string {
  return basename(path, SUFFIX);
}

/** Whether a file is one that we have made. */
export function isOurs({ folder }: Pick<HaproxyPaths, "folder">, path: string): boolean {
  return dirname(path) === folder && basename(path).endsWith(SUFFIX);
}

/** Reads HAProxy's answer to `show ssl crt-list -n`: `<path>:<number> [<options>] <names>` in each line. */
export function readEntries(answer: string): readonly Entry[] {
  return contentLines(answer).flatMap((text) => {
    const [first = "", ...rest] = text.split(" ");
    const colon = first.lastIndexOf(":");
    return colon < 1
      ? []
      : [{ path: first.slice(0, colon), line: first.slice(colon + 1), rest: rest.join(" ").trim() }];
  });
}

/** What HAProxy has in memory by its answer to `show ssl cert`; `open`: what somebody is just changing. */
export function readCertificates(answer: string): { readonly known: ReadonlySet<string>; readonly open?: string } {
  const lines = contentLines(answer);
  const open = lines.find((line) => line.startsWith("*"))?.slice(1);
  const known = new Set(lines.filter((line) => !line.startsWith("*")));
  return { known, ...(open === undefined ? {} : { open }) };
}

/** The files that HAProxy renews itself, by its answer to `acme status`; none where it doesn't know the command. */
export function readManaged(answer: string): ReadonlySet<string> {
  if (!answer.startsWith("# certificate")) return new Set();
  return new Set(contentLines(answer).map((line) => line.split("\t")[0] ?? ""));
}

/** The lines of a crt-list that are ours, by file. */
export function ownLines(paths: HaproxyPaths, text: string): ReadonlyMap<string, Wanted> {
  const own = contentLines(text).flatMap((line): [string, Wanted][] => {
    const [path = "", ...rest] = line.split(" ");
    return isOurs(paths, path) ? [[path, { lineage: lineageOf(path), path, rest: rest.join(" ").trim() }]] : [];
  });
  return new Map(own);
}

/** The crt-list with these lines of ours in place of those that it has; everybody else's stay, before ours but for the default. */
export function withLines(paths: HaproxyPaths, text: string, lines: readonly Wanted[]): string {
  const others = text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && line !== HEAD && !isOurs(paths, line.trimStart().split(" ")[0] ?? ""));
  const own = (some: readonly Wanted[]) => some.map(({ path, rest }) => `${path} ${rest}`);
  const [first, last] = [lines.filter(({ isDefault }) => isDefault), lines.filter(({ isDefault }) => !isDefault)];
  return [HEAD, ...own(first), ...others, ...own(last), ""].join("\n");
}

function contentLines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
