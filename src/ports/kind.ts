/** One setting as an operator sees it; docs/settings.md and .env.example are written from these. */
export type SettingRow = {
  readonly name: string;
  /** Another way to write its name, which beats it where both are set. */
  readonly also?: string;
  /** The text that stands for an unset variable; absent where unset has its own meaning, which `doc` gives. */
  readonly defaultText?: string;
  /** Its value is never shown, and may come from the file that `<name>_FILE` names. */
  readonly isSecret?: boolean;
  /** No order needs it: a file of its that can't be read holds up nothing else. */
  readonly isAside?: boolean;
  readonly doc: string;
};

/** What was typed for settings, in `.env` or as an option; where both are, the one that beats the other. */
export interface SettingReader {
  /** Undefined where it isn't set. */
  text(name: string): string | undefined;
  secret(name: string): { reveal(): string } | undefined;
  /** Says what is wrong with it, in words that follow `NAME="value": `, and what would be right. What the setting is for waits then. */
  mistake(name: string, problem: string, allowed?: string): void;
}

/** Whatever an operator can choose by a word: its name is that word. */
export interface Kind<Settings> {
  readonly name: string;
  /** Settings of its own; they are read where it is chosen. */
  readonly rows: readonly SettingRow[];
  /** Undefined where something is wrong, which went to `mistake`; and of a channel where it isn't used. */
  read(settings: SettingReader): Settings | undefined;
}
