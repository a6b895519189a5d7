import type { Config } from "./config.ts";
import { UsageError } from "./config-error.ts";
import { MistakeList } from "./mistake.ts";
import { parseOptions } from "./parse-options.ts";
import { parseExistingLineageName } from "./parse-values.ts";
import { stagingOf } from "./servers.ts";

/** How one explicit run differs from a scheduled one. */
export type RunOptions = {
  /** Rehearse; install nothing. */
  readonly isRehearsal: boolean;
  readonly isForced: boolean;
  /** What is ordered otherwise than the settings say, in this run only: at their CA's staging. */
  readonly order?: { readonly directoryUrl: string } | undefined;
  /** The one lineage that is meant; whether it is there is for the caller to find out. */
  readonly only?: { readonly lineage: string } | undefined;
  /** Print one JSON document. */
  readonly json: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
};

/**
 * Reads the words after `update-cert` and joins them with those of `CERTBOT_OPTIONS`. They come from argv, split already.
 * Throws one {@link UsageError} with every mistake.
 */
export function mergeCommandOptions(config: Config, words: readonly string[]): RunOptions {
  const mistakes = new MistakeList();
  const options = parseOptions(words, "update-cert", mistakes);
  const [typedName] = options.get("--cert-name") ?? [];
  const lineage = mistakes.attempt("update-cert --cert-name", typedName, parseExistingLineageName);
  const isStaging = options.has("--staging");
  const directoryUrl = isStaging ? stagingOf(config.directoryUrl) : undefined;
  if (isStaging && directoryUrl === undefined) {
    const problem = `doesn't go with ${config.directoryUrl}, whose staging server isn't known; use --dry-run`;
    mistakes.add({ setting: "update-cert --staging", problem });
  }
  if (mistakes.all.length > 0) throw new UsageError(mistakes.all);
  return {
    isRehearsal: config.options.dryRun || options.has("--dry-run"),
    isForced: config.options.forceRenewal || options.has("--force-renewal"),
    order: directoryUrl === undefined ? undefined : { directoryUrl },
    only: lineage === undefined ? undefined : { lineage },
    json: options.has("--json"),
    verbose: config.options.verbose || options.has("--verbose"),
    quiet: config.options.quiet || options.has("--quiet"),
  };
}
