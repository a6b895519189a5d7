import { wordsOf } from "../certificate/index.ts";
import { parse } from "dotenv";
import type { SettingRow } from "../ports/index.ts";
import type { MistakeList } from "./mistake.ts";
import { didYouMean, findNearest } from "./nearest.ts";
import { HOOK_VARIABLES, PLANNED_SETTINGS } from "./settings-table.ts";

/** Where settings come from. The environment beats the `.env` text; an empty variable counts as unset in both. */
export type SettingSources = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Content of a `.env` file. */
  readonly dotenvText?: string | undefined;
  /** Reads the file that a secret's `<name>_FILE` names; throws when it can't. */
  readonly readFile?: ((path: string) => string) | undefined;
};

/** Settings as text: those that were typed, secrets from files too. */
export type RawSettings = ReadonlyMap<string, RawSetting>;

/** One of them, and by which of its names it was typed. */
type RawSetting = { readonly text: string; readonly setting: string; readonly isSecret: boolean };

/** What was typed for each variable that isn't empty: environment over `.env`, trimmed, without quotes around it. */
export function typedVariables({ environment, dotenvText }: SettingSources): ReadonlyMap<string, string> {
  const typed = new Map<string, string>();
  // Only dotenv's `parse` is used: its `config` prints, and reads and writes the process's environment.
  for (const layer of [parse(dotenvText ?? ""), environment]) {
    for (const [name, text] of Object.entries(layer)) {
      const value = unquote((text ?? "").trim());
      // Compose delivers an empty X for `X: ${X:-}`; it must not hide the X of .env.
      if (value !== "") typed.set(name, value);
    }
  }
  return typed;
}

/** Reads the settings of `table`; unknown and planned `CERTBOT_*` names go to `mistakes`. */
export function readSettings(
  sources: SettingSources,
  mistakes: MistakeList,
  table: readonly SettingRow[],
): RawSettings {
  const typed = typedVariables(sources);
  const raw = new Map<string, RawSetting>();
  for (const { name, also = name, isSecret = false, isAside = false } of table) {
    const setting = typed.has(also) ? also : name;
    const read = () => readSecretText(name, { typed, readFile: sources.readFile, mistakes });
    const text = !isSecret ? typed.get(setting) : isAside ? mistakes.aside(read).found : read();
    if (text !== undefined) raw.set(name, { text, setting, isSecret });
  }
  refuseUnknown([...typed.keys()], table, mistakes);
  return raw;
}

// `docker run --env-file` and Kubernetes keep the quotes that compose and dotenv take away.
function unquote(text: string): string {
  const [, quote, inner] = /^(["'])(.*)\1$/s.exec(text) ?? [];
  return quote === undefined || inner === undefined || inner.includes(quote) ? text : inner.trim();
}

type SecretSources = {
  readonly typed: ReadonlyMap<string, string>;
  readonly readFile: SettingSources["readFile"];
  readonly mistakes: MistakeList;
};

function readSecretText(name: string, { typed, readFile, mistakes }: SecretSources): string | undefined {
  const direct = typed.get(name);
  const path = typed.get(`${name}_FILE`);
  if (path === undefined) return direct;
  const refuse = (problem: string) => mistakes.add({ setting: `${name}_FILE`, value: path, problem });
  if (direct !== undefined) {
    refuse(`is set beside ${name}; set one of them`);
    return direct;
  }
  try {
    const text = readFile?.(path).trim() ?? "";
    if (text !== "") return text;
    refuse("names an empty file");
  } catch (thrown) {
    refuse(`names a file that can't be read: ${wordsOf(thrown)}`);
  }
  return undefined;
}

// Values are left out: a misspelt name may well carry a secret.
function refuseUnknown(typedNames: readonly string[], table: readonly SettingRow[], mistakes: MistakeList): void {
  const readable = table.flatMap(({ name, isSecret }) => (isSecret ? [name, `${name}_FILE`] : [name]));
  const known = new Set<string>([...readable, ...HOOK_VARIABLES]);
  const planned = new Set<string>(PLANNED_SETTINGS);
  for (const setting of typedNames.filter((name) => name.startsWith("CERTBOT_") && !known.has(name)).sort()) {
    const isPlanned = planned.has(setting) || planned.has(setting.replace(/_FILE$/, ""));
    const refuse = (problem: string) => mistakes.add({ setting, problem });
    // What there is no code for yet is none of an order's.
    if (isPlanned) mistakes.aside(() => refuse("is not in this version yet; take it out"));
    else refuse(`is no setting${didYouMean(nearestSetting(setting, readable))}`);
  }
}

// The prefix that all share would make any short name a near one.
function nearestSetting(name: string, readable: readonly string[]): string | undefined {
  const prefix = "CERTBOT_";
  const suffixes = readable.filter((known) => known.startsWith(prefix)).map((known) => known.slice(prefix.length));
  const nearest = findNearest(name.slice(prefix.length), suffixes);
  return nearest === undefined ? undefined : prefix + nearest;
}
