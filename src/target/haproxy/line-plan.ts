import type { ServedCertificate } from "../../reconcile/index.ts";
import { isOurs, lineageOf, NO_NAME, wantedLine, type Entry, type HaproxyPaths, type Wanted } from "./crt-list.ts";

/** What the lines are decided by. */
export type LineFacts = {
  /** What HAProxy has of ours now. */
  readonly entries: readonly Entry[];
  /** What it is to serve, as far as it has it; and what it has refused or wasn't given. */
  readonly has: readonly ServedCertificate[];
  readonly lacks: readonly ServedCertificate[];
  /** All lineages that may come to be served again; undefined where that isn't known. */
  readonly known: readonly string[] | undefined;
};

/** All lines that there are to be of ours, and whether a file is to have none. */
export type LinePlan = { readonly lines: readonly Wanted[]; readonly isGone: (path: string) => boolean };

/**
 * Decides which names each certificate in HAProxy is to have: its own; those of before that nobody else can serve yet. What it has
 * beyond what it is to serve keeps, where it may be served again (its files can't be read for the moment), the names that nobody
 * else has; and where it is gone, those that wait for another one. Pure.
 */
export function planLines(paths: HaproxyPaths, { entries, has, lacks, known }: LineFacts): LinePlan {
  const before = new Map(entries.map(({ path, rest }) => [path, rest.split(" ")]));
  const lineOf = (one: Pick<ServedCertificate, "lineage" | "identifiers">) => wantedLine(paths, one);
  const served = has.map(lineOf);
  const taken = new Set(served.flatMap(({ rest }) => rest.split(" ")));
  const lacking = lacks.map(lineOf);
  const waiting = new Set(lacking.flatMap(({ rest }) => rest.split(" ")).filter((name) => name !== NO_NAME));
  const lines = served.map((line) => {
    const left = (before.get(line.path) ?? []).filter((name) => waiting.has(name) && !taken.has(name));
    const own = line.rest.split(" ").filter((name) => left.length === 0 || name !== NO_NAME);
    return { ...line, rest: [...own, ...left].join(" ") };
  });
  const toServe = new Set([...served, ...lacking].map(({ path }) => path));
  const mayReturn = new Set(known?.map((lineage) => lineOf({ lineage, identifiers: [] }).path));
  for (const [path, names] of before) {
    if (known === undefined || toServe.has(path)) continue;
    const left = names.filter((name) => !taken.has(name) && (mayReturn.has(path) || waiting.has(name)));
    if (left.length > 0) lines.push({ lineage: lineageOf(path), path, rest: left.join(" ") });
    else mayReturn.delete(path);
  }
  const staying = new Set([...toServe, ...lines.map(({ path }) => path), ...mayReturn]);
  return { lines, isGone: (path) => known !== undefined && isOurs(paths, path) && !staying.has(path) };
}
