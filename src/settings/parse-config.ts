import type { OrderWish } from "../certificate/index.ts";
import { checkNames } from "./check-names.ts";
import { chooseCertificates } from "./choose-certificates.ts";
import { chooseExternalAccount } from "./choose-external-account.ts";
import { chooseKeyReuse, chooseKeyType } from "./choose-key-type.ts";
import { chooseProfile } from "./choose-profile.ts";
import { chooseServers } from "./choose-server.ts";
import { CONFIG_LOG_LEVELS, LOG_FORMATS, type Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { readDockerEngine } from "./docker-engine.ts";
import { MistakeList, ValueProblem } from "./mistake.ts";
import { findOptionWarnings, findServerWarnings } from "./option-warnings.ts";
import { optionValue, parseOptions, type ParsedOptions } from "./parse-options.ts";
import {
  oneOf,
  parseChallenge,
  parseEmail,
  parseKeyType,
  parsePath,
  parsePreferredChain,
  parseWebrootPath,
} from "./parse-values.ts";
import { readSettings, type RawSettings, type SettingSources } from "./read-settings.ts";
import { SERVERS } from "./servers.ts";
import { DEFAULT_WEBROOT_PATH, type SettingName } from "./settings-table.ts";
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
  const raw = readSettings(sources, mistakes);
  const options = readOptionLine(raw.texts.get("CERTBOT_OPTIONS"), mistakes);
  const reading = { raw, options, mistakes, isCronExpression: sources.isCronExpression };
  const [order, other] = [readOrderSettings(reading), readOtherSettings(reading)];
  const warnings = [...findServerWarnings(order), ...findOptionWarnings(options)];
  const config = { ...order, ...other, warnings };
  if (mistakes.all.length > 0) throw new ConfigError(mistakes.all);
  return deepFreeze(config);
}

type Reading = {
  readonly raw: RawSettings;
  readonly options: ParsedOptions;
  readonly mistakes: MistakeList;
  readonly isCronExpression: ConfigSources["isCronExpression"];
};

type OrderSetting = keyof OrderWish | "wanted" | "email" | "fallbackDirectoryUrl" | "verifyTls" | "externalAccount";

function readOrderSettings(reading: Reading): Pick<Config, OrderSetting> {
  const { raw, options, mistakes } = reading;
  const { read, readOption } = readersOf(reading);
  const certificates = chooseCertificates(raw.texts.get("CERTBOT_DOMAIN"), options, mistakes);
  const email = read("CERTBOT_EMAIL", parseEmail, undefined);
  const webrootPath = read("CERTBOT_WEBROOT_PATH", parseWebrootPath, DEFAULT_WEBROOT_PATH);
  const keyType = read("CERTBOT_KEY_TYPE", parseKeyType, undefined);
  const profile = chooseProfile(raw.texts.get("CERTBOT_PROFILE"), options, mistakes);
  const servers = chooseServers(raw.texts, options, mistakes);
  if (servers) checkNames(certificates, { ...servers, profile: profile?.name }, mistakes);
  return {
    wanted: certificates.wanted,
    email: readOption("--email", parseEmail, email),
    // What stands in for wrong servers is thrown away with the rest.
    ...(servers ?? { directoryUrl: SERVERS.letsencrypt, verifyTls: true }),
    externalAccount: chooseExternalAccount(raw, options, mistakes),
    profile,
    preferredChain: readOption("--preferred-chain", parsePreferredChain, undefined),
    reuseKey: chooseKeyReuse(options, mistakes),
    webrootPath: readOption("--webroot-path", parseWebrootPath, webrootPath),
    keyType: chooseKeyType(keyType, options, mistakes),
  };
}

function readOtherSettings(reading: Reading): Omit<Config, OrderSetting | "warnings"> {
  const { raw, options, mistakes, isCronExpression } = reading;
  const { read } = readersOf(reading);
  read("CERTBOT_CHALLENGE", parseChallenge, "http-01");
  const logLevel = read("CERTBOT_LOG_LEVEL", oneOf(CONFIG_LOG_LEVELS), "info");
  return {
    caBundlePath: read("CERTBOT_CA_BUNDLE", parsePath, undefined),
    schedule: read("CERTBOT_SCHEDULE", (text) => parseSchedule(text, isCronExpression), undefined),
    docker: readDockerEngine(raw.texts, mistakes),
    logLevel: chooseLogLevel(logLevel, options),
    logFormat: read("CERTBOT_LOG_FORMAT", oneOf(LOG_FORMATS), "auto"),
    options: readFlags(options),
  };
}

type ParsedOption = "--email" | "--webroot-path" | "--preferred-chain";

// A value or, where nothing was typed or that was a mistake, what stands in for it.
function readersOf({ raw, options, mistakes }: Reading) {
  return {
    read: <T, F>(name: SettingName, parse: (text: string) => T, fallback: F) =>
      mistakes.attempt<T | F>(name, raw.texts.get(name), parse, fallback),
    readOption: <T, F>(name: ParsedOption, parse: (text: string) => T, fallback: F) =>
      mistakes.attempt<T | F>(`CERTBOT_OPTIONS ${name}`, optionValue(options, name), parse, fallback),
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
