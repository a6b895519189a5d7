import { KINDS } from "../../src/app/build.ts";
import { parseConfig, ConfigError, type Config, type ConfigSources, type Mistake } from "../../src/settings/index.ts";

// Stands for node-cron's check, which lives in another folder.
const isCronExpression = (text: string): true | string =>
  text.split(" ").length === 5 ? true : `expected 5 fields but got ${text.split(" ").length}`;

/** The settings that this environment, and whatever else is given, makes, right or wrong. */
export function readConfig(environment: ConfigSources["environment"], others: Partial<ConfigSources> = {}): Config {
  return parseConfig({ isCronExpression, ...others, environment }, KINDS);
}

/** The same, where all is right. Throws ConfigError. */
export function configOf(...sources: Parameters<typeof readConfig>): Config {
  const config = readConfig(...sources);
  if (config.mistakes.length > 0) throw new ConfigError(config.mistakes);
  return config;
}

/** The mistakes in this environment; empty when there are none. */
export function mistakesOf(...sources: Parameters<typeof readConfig>): readonly Mistake[] {
  return readConfig(...sources).mistakes;
}
