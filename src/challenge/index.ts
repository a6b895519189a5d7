import type { ChallengeKinds } from "../ports/index.ts";
import { DNS_PROVIDERS } from "./dns/index.ts";
import { webroot } from "./webroot.ts";

export { dnsKind, type DnsProvider, type TxtRecord } from "./dns/dns-01.ts";
export { challengeConfs, createSolvers } from "./kinds.ts";
export { createWebrootSolvers, DEFAULT_WEBROOT_PATH } from "./webroot.ts";

/** Every kind of challenge, by the words of `CERTBOT_CHALLENGE`; the first is taken where nothing is said. */
export const CHALLENGES: ChallengeKinds = [webroot, ...DNS_PROVIDERS];
