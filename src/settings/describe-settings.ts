import type { SettingRow } from "../ports/index.ts";
import { redactOptions, redactUrl } from "./redact.ts";
import { typedVariables, type SettingSources } from "./read-settings.ts";

// The container that this one replaces printed these three, set or not, in this order; scripts read them.
const ALWAYS_SHOWN = ["CERTBOT_EMAIL", "CERTBOT_DOMAIN", "CERTBOT_OPTIONS"];

/**
 * Lines for the start banner: `CERTBOT_EMAIL: Not set`, then whatever else has been set, right or wrong. Secrets show as
 * `[redacted]`. Never throws: what is wrong with the settings is for {@link parseConfig} to say.
 */
export function describeSettings(sources: SettingSources, table: readonly SettingRow[]): string[] {
  const typed = typedVariables(sources);
  const known = table.flatMap(({ name, also = name }) => [name, also]);
  const names = new Set([...ALWAYS_SHOWN, ...known.filter((name) => typed.has(name))]);
  return Array.from(names, (name) => `${name}: ${showValue(name, typed.get(name), table)}`);
}

function showValue(name: string, text: string | undefined, table: readonly SettingRow[]): string {
  if (text === undefined) return "Not set";
  if (table.some((setting) => setting.name === name && setting.isSecret)) return "[redacted]";
  const shown = name === "CERTBOT_OPTIONS" ? redactOptions(text) : redactUrl(text);
  // One setting is one line, whatever was typed.
  return shown.replace(/\s*[\r\n]+\s*/g, " ; ").replace(/\p{Cc}/gu, " ");
}
