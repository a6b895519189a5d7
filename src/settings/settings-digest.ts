import { createHash } from "node:crypto";
import { DEFAULT_KEY_TYPE } from "../certificate/index.ts";
import type { Config } from "./config.ts";
import { Secret } from "./secret.ts";

/**
 * One word for all settings that could make a failed order succeed, secrets among them. It is of everything but what is named here
 * as beside the matter, so that no setting of a later version is forgotten; and what isn't set is not in it, so that a new version
 * doesn't take its predecessor's failures for those of other settings.
 */
export function digestSettings(config: Config): string {
  const { schedule, channels, deploy, docker, logLevel, logFormat, warnings, options, ...read } = config;
  const { mistakes, areOrdersInDoubt, leftOut, ...matters } = read;
  const { wanted, directoryUrl, email, keyType = DEFAULT_KEY_TYPE, challenges: chosen, ...others } = matters;
  const { verifyTls, caBundle, fallbackDirectoryUrl, ...rest } = others;
  // What the first version had stands in its order, and its one challenge as a folder.
  const [first, ...more] = chosen;
  const isOld = first?.kind === "http-01" && more.length === 0;
  const [webrootPath, challenges] = isOld ? [first.settings] : [undefined, chosen];
  const caBundlePath = caBundle?.path;
  const known = { wanted, directoryUrl, email, keyType, webrootPath, verifyTls, caBundlePath, fallbackDirectoryUrl };
  const text = JSON.stringify({ ...known, challenges, ...rest }, reveal);
  return createHash("sha256").update(text).digest("base64url");
}

function reveal(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const secret = this[key];
  return secret instanceof Secret ? secret.reveal() : value;
}
