import { chooseCertificates } from "./choose-certificates.ts";
import { chooseKeyType, hasKeyOption } from "./choose-key-type.ts";
import { chooseServer } from "./choose-server.ts";
import { CONFIG_LOG_LEVELS, LOG_FORMATS, type Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { readDockerEngine } from "./docker-engine.ts";
import { MistakeList, ValueProblem } from "./mistake.ts";
import { findOptionWarnings } from "./option-warnings.ts";
import { optionValue, parseOptions, type ParsedOptions } from "./parse-options.ts";
import { oneOf, parseChallenge, parseEmail, parseKeyType, parsePath, parseWebrootPath } from "./parse-values.ts";
import { readSettings, typedVariables, type SettingSources } from "./read-settings.ts";
import type { SettingName } from "./settings-table.ts";
import { splitWords, UnterminatedQuoteError } from "./split-words.ts";

/** What {@link parseConfig} reads. */
export type ConfigSources = SettingSources & {
  /** True for a cron expression that the scheduler takes, else what is wrong with it. */
  readonly isCronExpression: (text: string) => true | string;
};

/**
 * Reads all settings: options in `CERTBOT_OPTIONS` beat the environment, it beats the `.env` text, that beats defaults.
 * Gives a deeply frozen value, or throws one {@link ConfigError} with every mistake. Reads nothing else, so it may run
 * again at any time.
 */
export function parseConfig(sources: ConfigSources): Config {
  const mistakes = new MistakeList();
  const { texts } = readSettings(sources, mistakes);
  const options = readOptionLine(texts.get("CERTBOT_OPTIONS"), mistakes);
  const { isCronExpression } = sources;
  const isKeyTypeChosen = typedVariables(sources).has("CERTBOT_KEY_TYPE") || hasKeyOption(options);
  const config = { ...readConfig({ texts, options, mistakes, isCronExpression }), isKeyTypeChosen };
  if (mistakes.all.length > 0) throw new ConfigError(mistakes.all);
  return deepFreeze(config);
}

type Reading = {
  readonly texts: ReadonlyMap<string, string>;
  readonly options: ParsedOptions;
  readonly mistakes: MistakeList;
  readonly isCronExpression: ConfigSources["isCronExpression"];
};

function readConfig({ texts, options, mistakes, isCronExpression }: Reading): Omit<Config, "isKeyTypeChosen"> {
  const read = <T>(name: SettingName, parse: (text: string) => T, fallback: T): T =>
    mistakes.attempt(name, texts.get(name), parse, fallback);
  const readOption = <T>(name: "--email" | "--webroot-path", parse: (text: string) => T, setting: T): T =>
    mistakes.attempt(`CERTBOT_OPTIONS ${name}`, optionValue(options, name), parse, setting);

  const wanted = chooseCertificates(texts.get("CERTBOT_DOMAIN"), options, mistakes);
  read("CERTBOT_CHALLENGE", parseChallenge, "http-01");
  const email = read("CERTBOT_EMAIL", parseEmail, undefined);
  const webrootPath = read("CERTBOT_WEBROOT_PATH", parseWebrootPath, "/var/www/html");
  const keyType = read("CERTBOT_KEY_TYPE", parseKeyType, "ecdsa-p256");
  const logLevel = read("CERTBOT_LOG_LEVEL", oneOf(CONFIG_LOG_LEVELS), "info");
  return {
    wanted,
    email: readOption("--email", parseEmail, email),
    ...chooseServer(texts.get("CERTBOT_SERVER"), options, mistakes),
    caBundlePath: read("CERTBOT_CA_BUNDLE", parsePath, undefined),
    webrootPath: readOption("--webroot-path", parseWebrootPath, webrootPath),
    keyType: chooseKeyType(keyType, options, mistakes),
    schedule: read("CERTBOT_SCHEDULE", (text) => parseSchedule(text, isCronExpression), undefined),
    docker: readDockerEngine(texts, mistakes),
    logLevel: chooseLogLevel(logLevel, options),
    logFormat: read("CERTBOT_LOG_FORMAT", oneOf(LOG_FORMATS), "auto"),
    options: readFlags(options),
    warnings: findOptionWarnings(options),
  };
}

function chooseLogLevel(setting: Config["logLevel"], options: ParsedOptions): Config["logLevel"] {
  if (options.has("--verbose")) return "debug";
  return options.has("--quiet") && setting !== "error" ? "warn" : setting;
}

function readFlags(options: ParsedOptions): Config["options"] {
  return {
    dryRun: options.has("--dry-run"),
    forceRenewal: options.has("--force-renewal"),
    verbose: options.has("--verbose"),
    quiet: options.has("--quiet"),
  };
}

function readOptionLine(text: string | undefined, mistakes: MistakeList): ParsedOptions {
  const place = { source: "CERTBOT_OPTIONS", place: "settings" } as const;
  try {
    return parseOptions(splitWords(text ?? ""), place, mistakes);
  } catch (thrown) {
    if (!(thrown instanceof UnterminatedQuoteError)) throw thrown;
    mistakes.add({ setting: "CERTBOT_OPTIONS", problem: thrown.message });
    return new Map();
  }
}

function parseSchedule(text: string, isCronExpression: ConfigSources["isCronExpression"]): string {
  const verdict = isCronExpression(text);
  if (verdict === true) return text;
  throw new ValueProblem(`is no cron expression: ${verdict}`, "five fields like `17 */6 * * *`");
}
