import type { ChallengeUse } from "../../src/certificate/index.ts";
import { challengeConfs, CHALLENGES } from "../../src/challenge/index.ts";

/** What `LineageStoreOptions` want: how our confs name challenges. */
export const CONFS = challengeConfs(CHALLENGES, []);

/** HTTP-01 for all names, by a webroot. */
export function byWebroot(path = "/var/www/html"): readonly ChallengeUse[] {
  return [{ names: "all", kind: "http-01", type: "http-01", settings: path }];
}
