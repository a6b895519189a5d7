import { asOperatorError, toFailure, type OperatorError } from "../certificate/index.ts";
import type { ServedFinding, Version } from "../reconcile/index.ts";
import { couldNotStart, outputOf } from "./docker/exec.ts";
import { LONGEST_NAME, packTar } from "./docker/tar.ts";
import { copyFailed } from "./errors.ts";
import type { CopiedFile, Copy, Spot, TargetTools } from "./kind.ts";
import { packPkcs12 } from "./pkcs12.ts";

/** A container into which certificates are put. */
export type CopySpot = Spot & { readonly copy: Copy };

/** Where the files of a lineage are in the container. */
export function copiedPaths({ files }: Copy, lineage: string): readonly string[] {
  return files.map(({ path }) => path.replaceAll("{name}", lineage));
}

/** Whether a version's files are in the container. Throws only the signal's reason. */
export async function seeCopy(
  spot: CopySpot,
  tools: TargetTools,
  { version, signal }: { readonly version: Version; readonly signal: AbortSignal },
): Promise<ServedFinding> {
  try {
    for (const file of await fill(spot, version)) {
      if (await isThere(spot, tools, { file, signal })) continue;
      const message = `${file.path} in ${spot.name} is not what is on disk here`;
      return { kind: "not-served", message, remedy: "Wait for the next check or run update-cert, which put it there." };
    }
    return { kind: "served" };
  } catch (thrown) {
    signal.throwIfAborted();
    const { message, remedy } = toFailure(thrown);
    return { kind: "not-served", message, remedy };
  }
}

/** Puts the files of these versions into the container; gives the failures by lineage. Throws only the signal's reason. */
export async function putCopies(
  spot: CopySpot,
  tools: TargetTools,
  { versions, signal }: { readonly versions: readonly Version[]; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, OperatorError>> {
  const failures = new Map<string, OperatorError>();
  for (const version of versions) {
    try {
      await putFiles(spot, tools, { files: await fill(spot, version), signal });
    } catch (thrown) {
      signal.throwIfAborted();
      failures.set(version.lineage, asOperatorError(thrown));
    }
  }
  return failures;
}

type File = { readonly path: string; readonly content: Buffer };

async function fill({ copy }: CopySpot, { lineage, pair }: Version): Promise<readonly File[]> {
  const read = await pair();
  const paths = copiedPaths(copy, lineage);
  return copy.files.map((file, at) => ({ path: paths[at] ?? file.path, content: contentOf(file, lineage, read) }));
}

// A blank line between the two is the end of a file to some.
function contentOf(file: CopiedFile, name: string, pair: Awaited<ReturnType<Version["pair"]>>): Buffer {
  if (file.holds === "pkcs12") return packPkcs12({ ...pair, name, password: file.password });
  const [key, chain] = [`${pair.privateKeyPem.trim()}\n`, `${pair.chainPem.trim()}\n`];
  return Buffer.from({ both: key + chain, chain, key }[file.holds]);
}

async function isThere(
  spot: CopySpot,
  tools: TargetTools,
  { file: { path, content }, signal }: { readonly file: File; readonly signal: AbortSignal },
): Promise<boolean> {
  const found = await tools.readFile(spot, path, signal);
  return found?.equals(content) ?? false;
}

type Asked = { readonly files: readonly File[]; readonly signal: AbortSignal };

const ENDED = ["TARGET_NOT_RUNNING", "TARGET_COMMAND_KILLED"];

// What ends at its start, again and again, as it has no certificate yet, runs for moments.
async function putFiles(spot: CopySpot, tools: TargetTools, asked: Asked): Promise<void> {
  if (spot.container.status !== "running") return layFiles(spot, tools, asked);
  try {
    await moveFiles(spot, tools, asked);
  } catch (thrown) {
    asked.signal.throwIfAborted();
    if (!ENDED.includes(asOperatorError(thrown).code)) throw thrown;
    await layFiles(spot, tools, asked);
  }
}

// Beside its place first, then there by a rename: the engine itself would remove what is there and write it anew, under the eyes
// of whoever reads it.
async function moveFiles(spot: CopySpot, tools: TargetTools, { files, signal }: Asked): Promise<void> {
  const { uid, gid, mode } = spot.copy;
  // Replicas may have a volume in common; and what a death leaves there is taken again by the next try.
  const beside = (at: number) => `.cert-sidecar-${spot.name.slice(-LONGEST_NAME / 2)}-${at}`;
  for (const [at, { path, content }] of files.entries()) {
    const tar = packTar([{ name: beside(at), content, uid, gid, mode }], tools.clock.now());
    await unpackInto(spot, tools, { path, tar, signal });
  }
  for (const [at, file] of files.entries()) {
    const { path } = file;
    const from = folderOf(path) + beside(at);
    const moved = await tools.exec({ ...spot, user: "0" }, ["mv", "-f", from, path], signal);
    if (moved.exitCode === 0 && (await isThere(spot, tools, { file, signal }))) continue;
    await tools.exec({ ...spot, user: "0" }, ["rm", "-f", from, `${path}/${beside(at)}`], signal);
    const words = moved.exitCode === 0 ? "it is a folder there, or hidden by a mount" : outputOf(moved);
    throw copyFailed(spot, path, { words: couldNotStart(moved) ? `the image has no mv: ${words}` : words });
  }
}

// Nobody reads them, and nobody is there to rename them.
async function layFiles(spot: CopySpot, tools: TargetTools, { files, signal }: Asked): Promise<void> {
  const { uid, gid, mode } = spot.copy;
  for (const file of files) {
    const { path, content } = file;
    const name = path.slice(folderOf(path).length);
    if (Buffer.byteLength(name) > LONGEST_NAME) throw copyFailed(spot, path, { words: "its name is too long" });
    const tar = packTar([{ name, content, uid, gid, mode }], tools.clock.now());
    await unpackInto(spot, tools, { path, tar, signal });
    if (await isThere(spot, tools, { file, signal })) continue;
    throw copyFailed(spot, path, { words: "it is not there afterwards" });
  }
}

type Unpacking = { readonly path: string; readonly tar: Buffer; readonly signal: AbortSignal };

async function unpackInto(spot: CopySpot, tools: TargetTools, { path, tar, signal }: Unpacking): Promise<void> {
  try {
    await tools.unpack(spot, { folder: folderOf(path), tar }, signal);
  } catch (cause) {
    signal.throwIfAborted();
    const { code, message: words } = asOperatorError(cause);
    // Engines before 23 say 500 for what is read-only, later ones 403, as a proxy does.
    if (code !== "DOCKER_REQUEST_FAILED" && code !== "DOCKER_DENIED") throw cause;
    if (spot.container.status === "running") await tools.look(spot, signal);
    throw copyFailed(spot, path, { words, cause });
  }
}

function folderOf(path: string): string {
  return path.replace(/[^/]*$/, "");
}
