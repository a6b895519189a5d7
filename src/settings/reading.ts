import type { SettingReader } from "../ports/index.ts";
import type { MistakeList } from "./mistake.ts";
import { OPTIONS, type OptionName } from "./options-table.ts";
import type { ParsedOptions } from "./parse-options.ts";
import type { RawSettings } from "./read-settings.ts";
import { redactUrl } from "./redact.ts";
import { Secret } from "./secret.ts";

/** A value as it was typed, and where: `CERTBOT_EMAIL` or `CERTBOT_OPTIONS --email`. */
export type TypedText = { readonly text: string; readonly setting: string; readonly isSecret?: boolean | undefined };

/** All that the operator has typed, while it is read; what is wrong with it gathers in `mistakes`. */
export type Reading = ReturnType<typeof startReading>;

/** Begins to read what was typed. */
export function startReading(raw: RawSettings, options: ParsedOptions, mistakes: MistakeList) {
  // Also as the option that is another way to type a setting: the last beats those before it.
  const typed = (name: string): readonly TypedText[] => {
    const asSetting = raw.get(name);
    const asOptions = OPTIONS.flatMap(({ name: option, setting, isSecret }) => {
      const value = setting === name ? options.get(option)?.[0] : undefined;
      return value === undefined ? [] : [{ text: value, setting: `CERTBOT_OPTIONS ${option}`, isSecret }];
    });
    return asSetting === undefined ? asOptions : [asSetting, ...asOptions];
  };
  const last = (name: string): TypedText | undefined => typed(name).at(-1);
  return {
    options,
    mistakes,
    /** What was typed for a setting, where it counts. */
    last,
    text: (name) => last(name)?.text,
    secret: (name) => {
      const text = last(name)?.text;
      return text === undefined ? undefined : new Secret(text);
    },
    mistake: (name, problem, allowed) => {
      const { text = "", setting = name, isSecret } = last(name) ?? {};
      mistakes.add({ setting, value: isSecret || text === "" ? undefined : redactUrl(text), problem, allowed });
    },
    /** What a setting means; undefined where it isn't set, or `parse` has thrown a `ValueProblem`. */
    read: <T>(name: string, parse: (text: string) => T): T | undefined =>
      typed(name)
        .map(({ setting, text }) => mistakes.attempt(setting, text, parse))
        .at(-1),
    /** What an option of `CERTBOT_OPTIONS` means that is no setting in another form; else as `read`. */
    readOption: <T>(name: OptionName, parse: (text: string) => T): T | undefined =>
      mistakes.attempt(`CERTBOT_OPTIONS ${name}`, options.get(name)?.[0], parse),
    /** Adds what is wrong with an option of `CERTBOT_OPTIONS` as such. */
    refuseOption: (name: OptionName, problem: string) => mistakes.add({ setting: `CERTBOT_OPTIONS ${name}`, problem }),
  } satisfies SettingReader & Record<string, unknown>;
}
