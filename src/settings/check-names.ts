import { identifierKey, isGlobalAddress, type Identifier, type WantedCertificate } from "../certificate/index.ts";
import type { ChosenServers } from "./choose-ca.ts";
import type { ChosenCertificates } from "./domains.ts";
import type { MistakeList } from "./mistake.ts";
import { isLetsEncrypt, isPublicCa, isStaging } from "./servers.ts";

/** What the names are to be certified by. */
export type CaChoice = Pick<ChosenServers, "directoryUrl" | "fallbackDirectoryUrl"> & {
  readonly profile?: string | undefined;
};

// https://letsencrypt.org/docs/profiles/, as of 2026-07-14; other profiles take as many as CAs do at most.
const LETS_ENCRYPT_MOST_NAMES: Readonly<Record<string, number | undefined>> = { shortlived: 25, tlsserver: 25 };
const LETS_ENCRYPT_IP_PROFILE = "shortlived";

/**
 * Adds a mistake for each name, and each number of names, that one of these CAs is known to refuse: an order would tell the
 * same, and cost one. What other CAs allow is for them to say. Gives the certificates that are left.
 */
export function checkNames({ wanted, settingOf }: ChosenCertificates, ca: CaChoice, mistakes: MistakeList) {
  const addresses = wanted.flatMap(({ identifiers }) => identifiers.filter(({ type }) => type === "ip"));
  const refused = new Set<string>();
  for (const address of new Map(addresses.map((one) => [one.value, one])).values()) {
    const problem = findProblem(address, ca);
    if (problem === undefined) continue;
    refused.add(address.value);
    mistakes.aside(() => mistakes.add({ setting: settingOf(address), value: identifierKey(address), problem }));
  }
  return wanted.filter((certificate) => {
    const { isRight } = mistakes.aside(() => checkCount(certificate, ca, mistakes));
    return isRight && !certificate.identifiers.some(({ value }) => refused.has(value));
  });
}

function findProblem({ value }: Identifier, ca: CaChoice): string | undefined {
  const isPublic = urlsOf(ca).some((url) => isPublicCa(url) || isStaging(url));
  if (isPublic && !isGlobalAddress(value)) {
    return "is an address that is not reachable from the Internet, and public CAs certify no such one; write a public address, or name a CA of your own in CERTBOT_SERVER";
  }
  if (ca.profile === LETS_ENCRYPT_IP_PROFILE || !urlsOf(ca).some(isLetsEncrypt)) return undefined;
  // A profile that is required would keep the other CA, which may not have it, from being asked at all.
  const advice = urlsOf(ca).every(isLetsEncrypt)
    ? `set CERTBOT_PROFILE=${LETS_ENCRYPT_IP_PROFILE}`
    : `put --preferred-profile ${LETS_ENCRYPT_IP_PROFILE} into CERTBOT_OPTIONS instead of CERTBOT_PROFILE`;
  return `is an IP address, which Let's Encrypt certifies only with its profile ${LETS_ENCRYPT_IP_PROFILE}; ${advice}`;
}

function checkCount({ name, identifiers }: WantedCertificate, ca: CaChoice, mistakes: MistakeList): void {
  const most = urlsOf(ca).some(isLetsEncrypt) ? LETS_ENCRYPT_MOST_NAMES[ca.profile ?? ""] : undefined;
  if (most === undefined || identifiers.length <= most) return;
  const problem = `asks for ${identifiers.length} names in the certificate ${name}, and Let's Encrypt's profile ${ca.profile ?? ""} allows ${most}; start a further certificate with ;`;
  mistakes.add({ setting: "CERTBOT_DOMAIN", problem });
}

function urlsOf({ directoryUrl, fallbackDirectoryUrl }: CaChoice): string[] {
  return [directoryUrl, fallbackDirectoryUrl ?? directoryUrl];
}
