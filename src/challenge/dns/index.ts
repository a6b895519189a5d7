import type { ChallengeKind } from "../../ports/index.ts";

/** The DNS providers, each made by `dnsKind` in a file of its own. */
export const DNS_PROVIDERS: readonly ChallengeKind<unknown>[] = [];
