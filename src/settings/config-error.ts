import { OperatorError, type RetryRule } from "../certificate/index.ts";
import { formatMistake, type Mistake } from "./mistake.ts";

/** What an operator typed is wrong; nothing was done. */
abstract class MistakesError extends OperatorError {
  override readonly retry: RetryRule = "never";
  /** Every mistake that was found, one at least. */
  readonly mistakes: readonly Mistake[];

  constructor(subject: string, mistakes: readonly Mistake[]) {
    const count = mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`;
    super([`${subject} ${count}:`, ...mistakes.map(formatMistake)].join("\n"));
    this.mistakes = mistakes;
  }
}

/**
 * One or more settings are wrong; each is named, with what is allowed. Certificates on disk are renewed by their own confs
 * meanwhile; what the wrong words would change waits.
 */
export class ConfigError extends MistakesError {
  readonly code = "SETTINGS_INVALID";
  // A container keeps the environment it was created with, so an edited .env needs a new container, not a restart. Forced,
  // since compose sees no change when only a file that a setting names was mended.
  readonly remedy =
    "Correct these settings in .env, or the files they name, then run `docker compose --profile certbot up -d --force-recreate certbot`.";

  constructor(mistakes: readonly Mistake[]) {
    super("The settings have", mistakes);
  }
}

/** A command was typed wrongly; nothing was done. */
export class UsageError extends MistakesError {
  readonly code = "USAGE_INVALID";
  readonly remedy =
    "Call it as `update-cert [--dry-run] [--force-renewal] [--staging] [--cert-name NAME] [--json] [-v] [-q]`.";

  constructor(mistakes: readonly Mistake[]) {
    super("The command line has", mistakes);
  }
}

/** The mistake to report where no certificate is named and the tree holds none either; parsing alone can't know that. */
export const MISSING_DOMAIN: Mistake = {
  setting: "CERTBOT_DOMAIN",
  problem: "is not set, and /etc/letsencrypt holds no certificate to renew",
  allowed: "the names that your users open, like CERTBOT_DOMAIN=your-site.org,www.your-site.org",
};
