import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path/posix";
import type { ChallengeKind, ChallengeSolvers, Clock, ConfText, FrontDoor } from "../ports/index.ts";
import { createSelfCheck } from "./self-check.ts";
import { createTokenFiles } from "./token-files.ts";

/** Where nginx and certbot expect the answers to challenges by default. */
export const DEFAULT_WEBROOT_PATH = "/var/www/html";

const SETTING = "CERTBOT_WEBROOT_PATH";
const PARAMS = "renewalparams";
const MAP = "renewalparams/webroot_map";

/** HTTP-01 (RFC 8555 §8.3) by files in a folder that nginx serves too, as certbot's webroot plugin. Set to: that folder's path. */
export const webroot: ChallengeKind<string> = {
  name: "http-01",
  type: "http-01",
  authenticator: "webroot",
  rows: [
    {
      name: SETTING,
      defaultText: DEFAULT_WEBROOT_PATH,
      doc: "Folder, in the container, from which nginx answers HTTP-01 challenges.",
    },
  ],
  read: (settings) => {
    const path = settings.text(SETTING) ?? DEFAULT_WEBROOT_PATH;
    // certbot's renewal conf has it in a comma-separated line.
    const isHeld = !/[,\p{Cc}]/u.test(path);
    if (!isHeld) settings.mistake(SETTING, "has a comma or a control character, which certbot's files can't hold");
    else if (isAbsolute(path)) return resolve(path);
    else settings.mistake(SETTING, "is no absolute path", "a path in the container that begins with /");
    return undefined;
  },
  solvers: createWebrootSolvers,
  fromConf: (conf, chosen = DEFAULT_WEBROOT_PATH) => {
    const isElsewhere = (path: string) => path !== chosen && !isHere(path);
    const settled = (path: string) => (isElsewhere(path) ? chosen : path);
    const path = pathIn(conf) ?? chosen;
    const own = conf.keys(MAP).map((name) => [name, conf.text(MAP, name) ?? path] as const);
    const asked = [
      ...(isElsewhere(path) ? [`webroot_path = ${path}`] : []),
      ...own.filter(([, at]) => at !== path && isElsewhere(at)).map((pair) => pair.join(" = ")),
    ];
    const because = `no folder of that path can be written here: tokens go to ${chosen}`;
    return {
      settings: settled(path),
      ofNames: Object.fromEntries(
        own.map(([name, at]) => [name, settled(at)]).filter(([, at]) => at !== settled(path)),
      ),
      ignored: asked.map((option) => ({ option, because })),
    };
  },
  toConf: (conf, path, { names, ofNames, isNew }) => {
    const isOther = isNew || pathIn(conf) !== path;
    if (isOther) conf.set(PARAMS, "webroot_path", [path]);
    conf.remove(MAP, (name) => !names.includes(name));
    conf.addSection(MAP);
    // An operator may have given names webroots of their own; they are kept until the lineage's webroot changes.
    for (const name of names) if (isOther || !conf.keys(MAP).includes(name)) conf.set(MAP, name, ofNames[name] ?? path);
  },
};

// certbot takes the last path for the names that its map hasn't.
function pathIn(conf: ConfText): string | undefined {
  const paths = conf.texts(PARAMS, "webroot_path").filter((path) => path !== "" && path !== "None");
  return paths.at(-1) ?? conf.text(MAP, conf.keys(MAP)[0] ?? "");
}

// What isn't mounted isn't there, or can't be written: our own root is read-only.
function isHere(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** What webroot solvers are made of. */
export type WebrootParts = {
  /** The server whose answer the CA will get. */
  readonly front: FrontDoor;
  readonly clock: Clock;
  /** How long one self-check may take; 10 s when left out. */
  readonly selfCheckTimeoutMs?: number | undefined;
};

const SELF_CHECK_TIMEOUT_MS = 10_000;

/** Makes solvers. Keep one for a process: it remembers which folders it made, and that no front server is to be found. */
export function createWebrootSolvers(parts: WebrootParts): ChallengeSolvers<string> {
  const { front, clock, selfCheckTimeoutMs = SELF_CHECK_TIMEOUT_MS } = parts;
  const files = createTokenFiles(clock);
  const check = createSelfCheck(front, clock, selfCheckTimeoutMs);
  return {
    with: (webrootPath) => ({
      type: "http-01",
      present: async (proof, signal) => {
        signal.throwIfAborted();
        await files.write({ ...proof, webrootPath });
      },
      cleanUp: (proof) => files.remove({ ...proof, webrootPath }),
      selfCheck: (proof, signal) => check({ ...proof, webrootPath }, signal),
    }),
  };
}
