import { KINDS } from "../../src/app/build.ts";
import { parseConfig, ConfigError, type Config, type ConfigSources, type Mistake } from "../../src/settings/index.ts";

// Stands for node-cron's check, which lives in another folder.
const isCronExpression = (text: string): true | string =>
  text.split(" ").length === 5 ? true : `expected 5 fields but got ${text.split(" ").length}`;

/** The settings that this environment, and whatever else is given, makes. Throws ConfigError. */
export function configOf(environment: ConfigSources["environment"], others: Partial<ConfigSources> = {}): Config {
  return parseConfig({ isCronExpression, ...others, environment }, KINDS);
}

/** The mistakes in this environment; empty when it can be used. */
export function mistakesOf(
  environment: ConfigSources["environment"],
  others: Partial<ConfigSources> = {},
): readonly Mistake[] {
  try {
    configOf(environment, others);
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.mistakes;
    throw thrown;
  }
}
