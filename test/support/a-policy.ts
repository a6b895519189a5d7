import type { Policy } from "../../src/reconcile/index.ts";
import { byWebroot } from "./challenges.ts";

export const PRODUCTION = "https://acme.test:14000/dir";
/** A CA whose limits we know; nothing is ever sent there. */
export const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";
export const STAGING = "https://acme.test:14000/staging";

/** What settings ask for that name no certificate, but for what a test wants otherwise. */
export function aPolicy(changed: Partial<Policy> = {}): Policy {
  return {
    wanted: [],
    directoryUrl: PRODUCTION,
    challenges: byWebroot(),
    isStaging: (url) => url === STAGING,
    isPublicCa: (url) => url === PRODUCTION || url === LETS_ENCRYPT,
    stagingOf: (url) => (url === PRODUCTION ? STAGING : undefined),
    isRehearsalOnly: false,
    settingsDigest: "",
    ...changed,
  };
}
