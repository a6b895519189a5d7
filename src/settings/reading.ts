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
export class Reading implements SettingReader {
  readonly options: ParsedOptions;
  readonly mistakes: MistakeList;
  readonly #raw: RawSettings;

  constructor(raw: RawSettings, options: ParsedOptions, mistakes: MistakeList) {
    this.#raw = raw;
    this.options = options;
    this.mistakes = mistakes;
  }

  /** What was typed for a setting, also as the option that is another way to type it: the last beats those before it. */
  typed(name: string): readonly TypedText[] {
    const raw = this.#raw.get(name);
    const options = OPTIONS.flatMap(({ name: option, setting, isSecret }) => {
      const value = setting === name ? this.options.get(option)?.[0] : undefined;
      return value === undefined ? [] : [{ text: value, setting: `CERTBOT_OPTIONS ${option}`, isSecret }];
    });
    return raw === undefined ? options : [{ ...raw, setting: name }, ...options];
  }

  text(name: string): string | undefined {
    return this.typed(name).at(-1)?.text;
  }

  secret(name: string): Secret | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : new Secret(text);
  }

  mistake(name: string, problem: string, allowed?: string): void {
    const { text = "", setting = name, isSecret } = this.typed(name).at(-1) ?? {};
    this.mistakes.add({ setting, value: isSecret || text === "" ? undefined : redactUrl(text), problem, allowed });
  }

  /** What a setting means; undefined where it isn't set, or `parse` has thrown a `ValueProblem`. */
  read<T>(name: string, parse: (text: string) => T): T | undefined {
    return this.typed(name)
      .map(({ setting, text }) => this.mistakes.attempt(setting, text, parse))
      .at(-1);
  }

  /** What an option of `CERTBOT_OPTIONS` means that is no setting in another form; else as {@link read}. */
  readOption<T>(name: OptionName, parse: (text: string) => T): T | undefined {
    return this.mistakes.attempt(`CERTBOT_OPTIONS ${name}`, this.options.get(name)?.[0], parse);
  }

  /** Adds what is wrong with an option of `CERTBOT_OPTIONS` as such. */
  refuseOption(name: OptionName, problem: string): void {
    this.mistakes.add({ setting: `CERTBOT_OPTIONS ${name}`, problem });
  }
}
