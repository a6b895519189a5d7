import { OperatorError } from "../../certificate/index.ts";
import type { ServedCertificate, Version, Whole } from "../../reconcile/index.ts";
import type { Named } from "../errors.ts";
import { isOurs, ownLines, readCertificates, readEntries, wantedLine, withLines } from "./crt-list.ts";
import type { Entry, HaproxyPaths, Wanted } from "./crt-list.ts";
import { planLines, type LinePlan } from "./line-plan.ts";
import { crtListUnused, folderUnusable, RuntimeRefusedError, transactionOpen } from "./errors.ts";
import type { RuntimeApi } from "./runtime-api.ts";
import { readShared, removeShared, sharedFingerprint, writeShared } from "./shared-folder.ts";

/** One HAProxy, and the ways to it. */
export type Haproxy = { readonly named: Named; readonly paths: HaproxyPaths; readonly api: RuntimeApi };

/** What it is to have: these versions anew, and nothing beyond the whole, where that is known. */
export type Aim = { readonly give: readonly Version[]; readonly whole: Whole | undefined };

/** What came of it; `leftover`: why something is still there that should have been taken away. */
export type Converged = { readonly failures: Failures; readonly leftover?: OperatorError | undefined };

type Failures = ReadonlyMap<string, OperatorError>;

/** What HAProxy has in memory of ours. */
type Memory = { readonly entries: readonly Entry[]; readonly known: ReadonlySet<string> };

/**
 * Makes HAProxy's memory, and what it reads at its next start, what they should be. Only what memory has taken goes to disk, so
 * that nothing there keeps HAProxy from starting, and a file is there before its line. A name that moves to another certificate
 * has two lines for a moment, never none. Dying anywhere leaves what the next call finishes. Throws OperatorError for one of all,
 * or the signal's reason.
 */
export async function converge(haproxy: Haproxy, { give, whole }: Aim, signal: AbortSignal): Promise<Converged> {
  const memory = await readMemory(haproxy, signal);
  const failures = new Map<string, OperatorError>();
  const given = new Set<string>();
  for (const version of give) {
    await collect(failures, version, async () => {
      await giveOne(haproxy, { version, memory }, signal);
      given.add(version.lineage);
    });
  }
  const inMemory = new Set(memory.entries.map(({ path }) => path));
  const isThere = (one: ServedCertificate) =>
    !failures.has(one.lineage) && (given.has(one.lineage) || inMemory.has(wantedLine(haproxy.paths, one).path));
  const { true: has = [], false: lacks = [] } = Object.groupBy(
    whole?.certificates ?? give,
    (one) => `${isThere(one)}` as const,
  );
  const plan = planLines(haproxy.paths, { entries: memory.entries, has, lacks, known: whole?.lineages });
  const lines = await addLines(haproxy, { plan, memory, failures }, signal);
  const isLast = !(await onDisk(haproxy, () => keepList(haproxy.paths, lines, plan.isGone)));
  const isLeaving = (path: string) => !isLast && plan.isGone(path);
  const leftover = await takeAway(haproxy, { memory, lines, isLeaving }, signal);
  return { failures, leftover };
}

type Adding = { readonly plan: LinePlan; readonly memory: Memory; readonly failures: Map<string, OperatorError> };

// Gives those lines that HAProxy has now, by file. Where it refuses one, that of before stays.
async function addLines(haproxy: Haproxy, { plan, memory, failures }: Adding, signal: AbortSignal) {
  const present = new Set(memory.entries.map(({ path, rest }) => `${path} ${rest}`));
  const lines = new Map<string, Wanted>();
  for (const line of plan.lines) {
    await collect(failures, line, async () => {
      if (!present.has(`${line.path} ${line.rest}`)) await addLine(haproxy, line, signal);
      lines.set(line.path, line);
    });
  }
  return lines;
}

/** Those versions that HAProxy wouldn't have after a restart, whatever it has in memory. */
export async function notKept({ paths }: Haproxy, versions: readonly Version[]): Promise<readonly Version[]> {
  const lines = ownLines(paths, await readShared(paths.crtList).catch(() => ""));
  const missing: Version[] = [];
  for (const version of versions) {
    const { path, rest } = wantedLine(paths, version);
    const isKept = lines.get(path)?.rest === rest && (await sharedFingerprint(path)) === version.fingerprint;
    if (!isKept) missing.push(version);
  }
  return missing;
}

// What is wrong with one certificate holds for that one; that nobody answers, or the disk fails, holds for all.
const HOLDS_FOR_ALL: ReadonlySet<string> = new Set(["TARGET_RUNTIME_UNREACHABLE", "TARGET_FOLDER_UNUSABLE"]);

async function collect(
  failures: Map<string, OperatorError>,
  { lineage }: Pick<Wanted, "lineage">,
  work: () => Promise<void>,
) {
  try {
    await work();
  } catch (thrown) {
    if (!(thrown instanceof OperatorError) || HOLDS_FOR_ALL.has(thrown.code)) throw thrown;
    failures.set(lineage, thrown);
  }
}

async function readMemory({ api, named, paths }: Haproxy, signal: AbortSignal): Promise<Memory> {
  const asked = "show ssl crt-list";
  const lists = (await api.ask(asked, signal)).split("\n").filter(Boolean);
  if (!lists.includes(paths.crtList))
    throw lists.some((line) => line.includes(" "))
      ? new RuntimeRefusedError(named, asked, lists.join(" "))
      : crtListUnused(named, paths, lists);
  const { known, open } = readCertificates(await api.ask("show ssl cert", signal));
  // HAProxy has one transaction at a time, and puts what it is told of another file into that. Ours is what a death has left.
  if (open !== undefined && !isOurs(paths, open)) throw transactionOpen(named, paths, open);
  if (open !== undefined) await api.tell(`abort ssl cert ${open}`, "Transaction aborted", signal);
  const entries = readEntries(await api.ask(`${asked} -n ${paths.crtList}`, signal));
  return { known, entries: entries.filter(({ path }) => isOurs(paths, path)) };
}

type Giving = { readonly version: Version; readonly memory: Memory };

async function giveOne(haproxy: Haproxy, { version, memory }: Giving, signal: AbortSignal): Promise<void> {
  const { api, paths } = haproxy;
  const { path } = wantedLine(paths, version);
  const { chainPem, privateKeyPem } = await version.pair();
  const pem = `${chainPem.trimEnd()}\n${privateKeyPem.trimEnd()}\n`;
  const isNew = !memory.known.has(path);
  try {
    if (isNew) await api.tell(`new ssl cert ${path}`, "New empty certificate store", signal);
    // With the file's name: an answer about another one means another one's transaction.
    await api.tell(`set ssl cert ${path}`, ` for certificate ${path}!`, signal, pem);
    await api.tell(`commit ssl cert ${path}`, "Success!", signal);
  } catch (thrown) {
    await abandon(haproxy, path, isNew);
    throw thrown;
  }
  await onDisk(haproxy, () => writeShared(path, pem));
}

const NEVER = new AbortController().signal;

// Also when we are to end. Whatever it says to that: what stays open is found, and ended, by the next call.
async function abandon({ api }: Haproxy, path: string, isNew: boolean): Promise<void> {
  try {
    await api.ask(`abort ssl cert ${path}`, NEVER);
    if (isNew) await api.ask(`del ssl cert ${path}`, NEVER);
  } catch {
    // the failure that led here is the one that is told
  }
}

async function addLine({ api, paths }: Haproxy, { path, rest }: Wanted, signal: AbortSignal): Promise<void> {
  await api.tell(`add ssl crt-list ${paths.crtList}`, "Success!", signal, `${path} ${rest}`);
}

async function onDisk<Result>({ named, paths }: Haproxy, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw folderUnusable(named, paths, thrown);
  }
}

// HAProxy starts neither with a line without its file nor, where it isn't told `strict-sni`, with no line at all: false where
// none would be left, and the list is as it was.
async function keepList(
  paths: HaproxyPaths,
  lines: ReadonlyMap<string, Wanted>,
  isGone: (path: string) => boolean,
): Promise<boolean> {
  const before = await readShared(paths.crtList);
  const all = new Map([...ownLines(paths, before), ...lines]);
  const staying: Wanted[] = [];
  for (const line of all.values()) {
    if (!isGone(line.path) && (await sharedFingerprint(line.path)) !== undefined) staying.push(line);
  }
  const text = withLines(paths, before, staying);
  if (staying.length > 0 && text !== before) await writeShared(paths.crtList, text);
  return staying.length > 0;
}

type Leaving = {
  readonly memory: Memory;
  readonly lines: ReadonlyMap<string, Wanted>;
  readonly isLeaving: (path: string) => boolean;
};

async function takeAway(haproxy: Haproxy, { memory, lines, isLeaving }: Leaving, signal: AbortSignal) {
  const { api, paths } = haproxy;
  const isOver = ({ path, rest }: Entry) => isLeaving(path) || (lines.get(path)?.rest ?? rest) !== rest;
  let leftover: OperatorError | undefined;
  const tell = async (command: string) => {
    try {
      await api.tell(command, "' deleted", signal); // with the quote: "can't be deleted" it says as well
    } catch (thrown) {
      if (!(thrown instanceof RuntimeRefusedError)) throw thrown;
      leftover ??= thrown;
    }
  };
  for (const { path, line } of memory.entries.filter(isOver))
    await tell(`del ssl crt-list ${paths.crtList} ${path}:${line}`);
  for (const path of [...memory.known].filter(isLeaving)) await tell(`del ssl cert ${path}`);
  // What HAProxy wouldn't let go, its own configuration names: without the file it wouldn't start.
  await onDisk(haproxy, () => removeShared(paths.folder, (path) => leftover === undefined && isLeaving(path)));
  return leftover;
}
