import type { ProfileChoice } from "../certificate/index.ts";
import { ValueProblem, type MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";

/**
 * Joins `CERTBOT_PROFILE` (`setting`) with certbot's two options. Two that differ are a mistake: the weaker one would act
 * only where nobody expects it. Mistakes go to `mistakes`.
 */
export function chooseProfile(
  setting: string | undefined,
  options: ParsedOptions,
  mistakes: MistakeList,
): ProfileChoice | undefined {
  const read = (name: string, text: string | undefined) =>
    mistakes.attempt<string | undefined>(name, text, parseProfile, undefined);
  const fromSetting = read("CERTBOT_PROFILE", setting);
  const required = read("CERTBOT_OPTIONS --required-profile", optionValue(options, "--required-profile"));
  const preferred = read("CERTBOT_OPTIONS --preferred-profile", optionValue(options, "--preferred-profile"));
  const refuse = (option: string, other: string) =>
    mistakes.add({ setting: `CERTBOT_OPTIONS ${option}`, problem: `contradicts ${other}; take one of the two out` });
  if (required !== undefined && preferred !== undefined) refuse("--preferred-profile", "--required-profile");
  if (fromSetting !== undefined && (required ?? fromSetting) !== fromSetting)
    refuse("--required-profile", "CERTBOT_PROFILE");
  if (fromSetting !== undefined && preferred !== undefined) refuse("--preferred-profile", "CERTBOT_PROFILE");
  const name = required ?? fromSetting;
  if (name !== undefined) return { name, isRequired: true };
  return preferred === undefined ? undefined : { name: preferred, isRequired: false };
}

// CAs name theirs like this; a conf of certbot's holds them without quotes.
function parseProfile(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text)) return text;
  throw new ValueProblem("is no profile's name", "letters, digits, dots, hyphens and underscores, like shortlived");
}
