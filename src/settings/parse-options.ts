import type { MistakeList } from "./mistake.ts";
import { answerForeign } from "./foreign-options.ts";
import { didYouMean, findNearest } from "./nearest.ts";
import { findOption, spellings, type NamedOption, type OptionName } from "./options-table.ts";
import { hasSecretOption, redactUrl } from "./redact.ts";

/** Options as given, by main spelling; an option without a value has an empty list. */
export type ParsedOptions = ReadonlyMap<OptionName, readonly string[]>;

/**
 * Reads words as certbot reads its command line: `--name value`, `--name=value`, `-nv`, `-dNAME`, `-d NAME`. Words that are
 * no option, unknown options, missing and surplus values go to `mistakes`, which never show an unknown option's value. `verb` is
 * the command whose line it is, or `settings` for CERTBOT_OPTIONS.
 */
export function parseOptions(words: readonly string[], verb: string, mistakes: MistakeList): ParsedOptions {
  const source = verb === "settings" ? "CERTBOT_OPTIONS" : verb;
  const reading: Reading = { rest: [...words], found: new Map(), verb, source, mistakes };
  for (let word = reading.rest.shift(); word !== undefined; word = reading.rest.shift()) {
    if (word.startsWith("--")) readLong(word, reading);
    else if (/^-./.test(word)) readShort(word, reading);
    else refuseWord(word, words, reading);
  }
  return reading.found;
}

type Reading = {
  readonly rest: string[];
  readonly found: Map<OptionName, readonly string[]>;
  readonly verb: string;
  /** What mistakes are named after. */
  readonly source: string;
  readonly mistakes: MistakeList;
};

function readLong(word: string, reading: Reading): void {
  const [, spelling = word, attached] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
  readOption(spelling, attached, reading);
}

// `-nv` is two options, `-dNAME` and `-d=NAME` one with its value, as Python's argparse has it.
function readShort(word: string, reading: Reading): void {
  const spelling = word.slice(0, 2);
  const tail = word.slice(2);
  const takesValue = findOption(spelling)?.value !== undefined;
  readOption(spelling, takesValue && tail !== "" ? tail.replace(/^=/, "") : undefined, reading);
  if (!takesValue && tail !== "" && findOption(spelling)) readShort(`-${tail}`, reading);
}

function readOption(spelling: string, attached: string | undefined, reading: Reading): void {
  const option = findOption(spelling);
  if (option === undefined) return refuseUnknown(spelling, attached, reading);
  // Read before anything is refused: a value must not be taken for a word of its own.
  const value = option.value === undefined ? undefined : (attached ?? takeValue(reading.rest, option));
  const problem = findProblem(option, { value, attached, reading });
  if (problem !== undefined) return refuse(reading, spelling, problem);
  const before = reading.found.get(option.name) ?? [];
  reading.found.set(option.name, value === undefined ? [] : [...before, value]);
}

type Given = { readonly value: string | undefined; readonly attached: string | undefined; readonly reading: Reading };

function findProblem(option: NamedOption, { value, attached, reading }: Given): string | undefined {
  if (option.refusal !== undefined) return option.refusal;
  if (!option.verbs.includes(reading.verb)) {
    return reading.verb === "settings"
      ? `works only on ${option.verbs.join("'s and ")}'s command line`
      : "belongs in CERTBOT_OPTIONS or its own setting in .env, so that renewals know it too";
  }
  if (option.value === undefined) return attached === undefined ? undefined : "takes no value";
  if (value === undefined || value === "") return `needs a value: ${option.value}`;
  if (option.takes?.test(value) === false) return `takes only ${option.value}`;
  const before = reading.found.get(option.name)?.[0];
  const isContradiction = !option.isList && before !== undefined && before !== value;
  if (!isContradiction) return undefined;
  return option.isSecret
    ? "is given twice, with different values"
    : `is given twice, as ${redactUrl(before)} and as ${redactUrl(value)}`;
}

// A key in base64url may begin with a hyphen, and what was meant to be a secret is never read as anything else.
function takeValue(rest: string[], { isSecret }: { readonly isSecret?: boolean } = {}): string | undefined {
  return rest[0]?.startsWith("-") && !isSecret ? undefined : rest.shift();
}

function refuseUnknown(spelling: string, attached: string | undefined, reading: Reading): void {
  // Its value, if it has one, is passed over: it may be a secret, and it is no mistake of its own.
  takeValue(reading.rest, { isSecret: attached === undefined && hasSecretOption([spelling]) });
  while (takeValue(reading.rest) !== undefined);
  const nearest = spelling.length > 3 ? findNearest(spelling, spellings(reading.verb)) : undefined;
  refuse(reading, spelling, answerForeign(spelling) ?? `is no option of this version${didYouMean(nearest)}`);
}

// A second word of a secret is one, too.
function refuseWord(word: string, words: readonly string[], { source, mistakes }: Reading): void {
  const problem = "is no option; options begin with -- or -";
  if (!hasSecretOption(words)) mistakes.add({ setting: source, value: word, problem });
  else mistakes.add({ setting: source, problem: `has a word that ${problem}` });
}

function refuse({ source, mistakes }: Reading, word: string, problem: string): void {
  mistakes.add({ setting: `${source} ${word}`, problem });
}
