import { randomBytes } from "node:crypto";
import { mkdir, open, realpath, rename, rm, rmdir } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { errnoOf, hasErrno, OperatorError, PlainError, unlessErrno, wordsOf } from "../certificate/index.ts";
import type { ChallengeProof, Clock } from "../ports/index.ts";
import { createLeftoverSweep } from "./leftover-sweep.ts";
import { openFolderAt, type OpenFolder } from "./open-itself.ts";

/** A proof, and the webroot that it is to be seen in. */
export type WebrootProof = ChallengeProof & { readonly webrootPath: string };

/** Challenge files in webroots. */
export type TokenFiles = {
  /** Writes the file, whole or not at all, readable by any server. May run twice. Throws OperatorError. */
  write(proof: WebrootProof): Promise<void>;
  /** Removes the file, and the folders made for it when nothing else is in them. May run twice. Throws OperatorError. */
  remove(proof: WebrootProof): Promise<void>;
};

// The server reads as another user, nginx's workers for one, and must get at the file whatever our umask is.
const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;

// RFC 8555 §8.3: base64url, nothing else. 200 is far more than any CA sends, and fits into a file name.
const TOKEN = /^[\w-]{1,200}$/;

// A parallel order may take the folder away, empty, between our making it and our writing into it.
const TRIES = 5;

/** Makes challenge files; it remembers the folders it made, to take only those away again. */
export function createTokenFiles(clock: Clock): TokenFiles {
  const madeFolders = new Set<string>();
  const sweep = createLeftoverSweep(clock);
  return {
    write: async (proof) => {
      const token = safeToken(proof);
      try {
        await untilFolderStays(async () => {
          await using folder = await openFolder(proof.webrootPath, madeFolders);
          await sweep(folder);
          await writeAtomically(join(folder.inside, token), proof.keyAuthorization);
        });
      } catch (cause) {
        throw translate(proof.webrootPath, cause);
      }
    },
    remove: async (proof) => {
      const token = safeToken(proof);
      try {
        const webroot = await realpath(proof.webrootPath);
        const [wellKnown, challenges] = foldersOf(webroot);
        await using folder = await openInside(challenges, webroot);
        if (!folder) return;
        await rm(join(folder.inside, token), { force: true });
        for (const path of [challenges, wellKnown]) await removeIfOurs(path, madeFolders);
      } catch (cause) {
        if (!hasErrno(cause, "ENOENT")) throw translate(proof.webrootPath, cause);
      }
    },
  };
}

function safeToken({ token }: ChallengeProof): string {
  if (TOKEN.test(token)) return token;
  throw new PlainError({
    // The CA sent a token that is no file name (RFC 8555 §8.3): it could lead anywhere. Nothing was written.
    code: "CHALLENGE_UNSAFE_TOKEN",
    message: `The CA's challenge token ${JSON.stringify(token.slice(0, 80))} is no file name, so no file was written`,
    remedy: "Ask whoever runs the CA: its challenge tokens break RFC 8555 §8.3.",
  });
}

function foldersOf(webroot: string): readonly [wellKnown: string, challenges: string] {
  const wellKnown = join(webroot, ".well-known");
  return [wellKnown, join(wellKnown, "acme-challenge")];
}

/** The challenge folder, made where it is missing. The webroot itself may be a link; what lies in it may not lead out. */
async function openFolder(webrootPath: string, madeFolders: Set<string>): Promise<OpenFolder> {
  const webroot = await realpath(webrootPath);
  const [wellKnown, challenges] = foldersOf(webroot);
  const open = async (path: string, at = path) => {
    const making = mkdir(at, FOLDER_MODE).then(() => madeFolders.add(path));
    await unlessErrno(making, "EEXIST");
    const folder = await openInside(at, webroot);
    if (!folder) throw webrootError(webrootPath, leadsOut(path));
    await letOthersIn(folder);
    return { ...folder, path };
  };
  await using above = await open(wellKnown);
  return await open(challenges, join(above.inside, basename(challenges)));
}

/** Opens a folder, or what a link of its name leads to; undefined where that isn't in the webroot. Throws system errors. */
async function openInside(path: string, webroot: string): Promise<OpenFolder | undefined> {
  const folder = await openFolderAt(path);
  const way = relative(webroot, await realpath(folder.inside));
  if (way !== ".." && !way.startsWith(`..${sep}`)) return folder;
  await folder[Symbol.asyncDispose]();
  return undefined;
}

// Our umask may hide it from the server. If it isn't ours to change, the self-check tells.
async function letOthersIn({ handle }: OpenFolder): Promise<void> {
  const { mode, uid } = await handle.stat();
  if ((mode & FOLDER_MODE) === FOLDER_MODE || uid !== process.geteuid?.()) return;
  await handle.chmod((mode & 0o7777) | FOLDER_MODE).catch(() => undefined);
}

async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    // "wx" never follows a link that somebody has put there.
    {
      await using file = await open(temporary, "wx", FILE_MODE);
      await file.chmod(FILE_MODE);
      await file.writeFile(text);
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
}

async function untilFolderStays(act: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await act();
      return;
    } catch (cause) {
      if (!hasErrno(cause, "ENOENT") || attempt === TRIES) throw cause;
    }
  }
}

async function removeIfOurs(folder: string, madeFolders: Set<string>): Promise<void> {
  if (!madeFolders.has(folder)) return;
  const removing = rmdir(folder).then(() => madeFolders.delete(folder));
  // Not empty: another proof's, whose removal takes the folder with it.
  await removing.catch(() => undefined);
}

function translate(webrootPath: string, cause: unknown): OperatorError {
  return cause instanceof OperatorError ? cause : webrootError(webrootPath, trouble(webrootPath, cause), cause);
}

function webrootError(webrootPath: string, { words, remedy }: Trouble, cause?: unknown): OperatorError {
  return new PlainError({
    code: "CHALLENGE_WEBROOT", // The file that proves a challenge can't be put into the webroot.
    message: `The challenge file can't be put into the webroot ${webrootPath}: ${words}`,
    remedy,
    cause,
  });
}

/** What stands in the way, and what to do. */
type Trouble = { readonly words: string; readonly remedy: string };

function trouble(webrootPath: string, cause: unknown): Trouble {
  // An open folder's path says nothing to people.
  const words = wordsOf(cause).replace(/\/proc\/self\/fd\/\d+(?:\/acme-challenge)?/, foldersOf(webrootPath)[1]);
  switch (errnoOf(cause)) {
    case "ENOENT":
    case "ENOTDIR":
      return {
        words: `there is no such folder (${words})`,
        remedy: `Mount the folder that nginx serves at ${webrootPath}, or set CERTBOT_WEBROOT_PATH to where it is mounted.`,
      };
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return { words, remedy: `Mount ${webrootPath} writable for the sidecar, and give it the right to write there.` };
    case "ENOSPC":
    case "EDQUOT":
      return { words, remedy: `Free space on the disk of ${webrootPath}.` };
    default:
      return { words, remedy: `Check the folder ${webrootPath} and its mount.` };
  }
}

function leadsOut(folder: string): Trouble {
  return {
    words: `${folder} is a link that leads out of it`,
    remedy: `Replace the link ${folder} by a folder; nginx must find the challenge files below the webroot.`,
  };
}
