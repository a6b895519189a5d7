import {
  identifierKey,
  splitWords,
  UnterminatedQuoteError,
  type ChallengeUse,
  type Identifier,
} from "../certificate/index.ts";
import { checkNames } from "./check-names.ts";
import { chooseServers, findServerWarnings } from "./choose-ca.ts";
import { chooseExternalAccounts } from "./external-accounts.ts";
import {
  chooseChallenges,
  chooseKeyReuse,
  chooseKeyType,
  choosePreferredChain,
  chooseProfile,
} from "./choose-order.ts";
import { CONFIG_LOG_LEVELS, LOG_FORMATS, type Config, type SettingWarning } from "./config.ts";
import { readBundle } from "./bundle.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { readDeploy } from "./deploy.ts";
import { readDockerEngine } from "./docker-engine.ts";
import { chooseCertificates } from "./domains.ts";
import { MistakeList, ValueProblem } from "./mistake.ts";
import { OPTIONS } from "./options-table.ts";
import { parseOptions, type ParsedOptions } from "./parse-options.ts";
import { oneOf, parseEmail } from "./parse-values.ts";
import { readProxies } from "./proxies.ts";
import { readSettings, type SettingSources } from "./read-settings.ts";
import { startReading, type Reading } from "./reading.ts";
import { settingsWith, type Kinds } from "./settings-table.ts";

/** What {@link parseConfig} reads. */
export type ConfigSources = SettingSources & {
  /** True for a cron expression that the scheduler takes, else what is wrong with it. */
  readonly isCronExpression: (text: string) => true | string;
};

/**
 * Reads all settings: options in `CERTBOT_OPTIONS` beat the environment, it beats the `.env` text, that beats defaults.
 * Gives a deeply frozen value, with every mistake in it and what is wrong left out (docs/decisions/0012). Never throws, and
 * may run again at any time.
 */
export function parseConfig(sources: ConfigSources, kinds: Kinds): Config {
  const mistakes = new MistakeList();
  const raw = readSettings(sources, mistakes, settingsWith(kinds));
  const options = readOptionLine(raw.get("CERTBOT_OPTIONS")?.text, mistakes);
  const reading = startReading(raw, options, mistakes);
  const proxies = readProxies(reading);
  const caBundle = reading.read("CERTBOT_CA_BUNDLE", (text) => readBundle(text, sources));
  const order = readOrder(reading, chooseChallenges(reading, kinds.challenges));
  const warnings = [...findServerWarnings(order, order.email), ...findOptionWarnings(options)];
  const channels = Object.fromEntries(kinds.channels.map((kind) => [kind.name, readChannel(kind, reading)]));
  const others = mistakes.aside(() => readOthers(reading, sources)).found;
  const { all, areOrdersInDoubt } = mistakes;
  return deepFreeze({ ...order, ...others, proxies, caBundle, channels, warnings, mistakes: all, areOrdersInDoubt });
}

function readOrder(reading: Reading, challenges: readonly ChallengeUse[]) {
  const certificates = chooseCertificates(reading, challenges);
  const profile = chooseProfile(reading);
  const { isFirstRight, ...servers } = chooseServers(reading);
  const ca = { ...servers, profile: profile?.name };
  const wanted = isFirstRight ? checkNames(certificates, ca, reading.mistakes) : certificates.wanted;
  return {
    wanted,
    leftOut: namesLeftOut(certificates.named, wanted),
    email: reading.read("CERTBOT_EMAIL", parseEmail),
    ...servers,
    ...chooseExternalAccounts(reading, servers),
    profile,
    preferredChain: choosePreferredChain(reading),
    reuseKey: chooseKeyReuse(reading),
    challenges,
    keyType: chooseKeyType(reading),
  };
}

function namesLeftOut(named: readonly Identifier[], wanted: Config["wanted"]): Config["leftOut"] {
  const kept = new Set(wanted.flatMap(({ identifiers }) => identifiers.map(identifierKey)));
  return named.filter((one) => !kept.has(identifierKey(one)));
}

function readOthers(reading: Reading, sources: ConfigSources) {
  const { options } = reading;
  const { isCronExpression } = sources;
  return {
    schedule: reading.read("CERTBOT_SCHEDULE", (text) => parseSchedule(text, isCronExpression)),
    deploy: readDeploy(reading, sources),
    docker: readDockerEngine(reading),
    logLevel: chooseLogLevel(reading.read("CERTBOT_LOG_LEVEL", oneOf(CONFIG_LOG_LEVELS)) ?? "info", options),
    logFormat: reading.read("CERTBOT_LOG_FORMAT", oneOf(LOG_FORMATS)) ?? "auto",
    options: {
      dryRun: options.has("--dry-run"),
      forceRenewal: options.has("--force-renewal"),
      verbose: options.has("--verbose"),
      quiet: options.has("--quiet"),
    },
  };
}

function readChannel(kind: Kinds["channels"][number], reading: Reading): unknown {
  const { found, isRight } = reading.mistakes.aside(() => kind.read(reading));
  return isRight ? found : undefined;
}

function findOptionWarnings(options: ParsedOptions): SettingWarning[] {
  return OPTIONS.flatMap(({ name, warning }) =>
    warning && options.has(name) ? [{ setting: `CERTBOT_OPTIONS ${name}`, ...warning }] : [],
  );
}

function chooseLogLevel(setting: Config["logLevel"], options: ParsedOptions): Config["logLevel"] {
  if (options.has("--verbose")) return "debug";
  return options.has("--quiet") && setting !== "error" ? "warn" : setting;
}

function readOptionLine(text: string | undefined, mistakes: MistakeList): ParsedOptions {
  try {
    return parseOptions(splitWords(text ?? ""), "settings", mistakes);
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
