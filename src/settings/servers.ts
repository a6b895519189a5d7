import { ValueProblem } from "./mistake.ts";

/** CAs that can be named instead of typing their ACME directory URL (RFC 8555 §7.1.1). */
export const SERVERS = {
  letsencrypt: "https://acme-v02.api.letsencrypt.org/directory",
  "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
  zerossl: "https://acme.zerossl.com/v2/DV90",
  google: "https://dv.acme-v02.api.pki.goog/directory",
} as const;

// Hosts of public CAs whose certificates no browser trusts.
const STAGING_HOSTS = new Set([
  new URL(SERVERS["letsencrypt-staging"]).hostname,
  "dv.acme-v02.test-api.pki.goog",
  "api.test4.buypass.no",
]);

// Hosts of CAs that browsers trust, besides those above.
const OTHER_PUBLIC_HOSTS = [
  "acme-api.actalis.com",
  "acme.digicert.com",
  "acme.sectigo.com",
  "acme.ssl.com",
  "api.buypass.com",
  "emea.acme.atlas.globalsign.com",
];

/** Reads a CA's short name or ACME directory URL into the URL. Throws {@link ValueProblem}. */
export function parseServer(text: string): string {
  const named = Object.entries(SERVERS).find(([name]) => name === text.toLowerCase())?.[1];
  if (named !== undefined) return named;
  const allowed = `an https:// URL of an ACME directory, or ${Object.keys(SERVERS).join(", ")}`;
  if (text.toLowerCase() === "buypass")
    throw new ValueProblem("is a CA that stopped issuing certificates in October 2025", allowed);
  if (!URL.canParse(text) || !text.includes("://"))
    throw new ValueProblem("is no URL and no CA known by name", allowed);
  const url = new URL(text);
  // RFC 8555 §6.1: ACME is spoken over HTTPS only.
  if (url.protocol !== "https:") throw new ValueProblem("doesn't begin with https://, which ACME requires", allowed);
  if (url.username !== "" || url.password !== "")
    throw new ValueProblem("has a user name in it, which ACME doesn't know");
  if (url.href.includes("#")) throw new ValueProblem("has a # in it; what follows it is never sent, so take it out");
  return url.href;
}

/** Whether a directory URL is one of Let's Encrypt's, production or staging. */
export function isLetsEncrypt(directoryUrl: string): boolean {
  return hostOf(directoryUrl).endsWith(".letsencrypt.org");
}

/** Whether a directory is a public CA's place for tests, whose certificates nobody trusts. A private CA's never is. */
export function isStaging(directoryUrl: string): boolean {
  return STAGING_HOSTS.has(hostOf(directoryUrl));
}

/** Whether a directory is that of a public CA we know, its place for tests left out. */
export function isPublicCa(directoryUrl: string): boolean {
  const host = hostOf(directoryUrl);
  const isNamed = Object.values(SERVERS).some((url) => hostOf(url) === host) || OTHER_PUBLIC_HOSTS.includes(host);
  return (isNamed || isLetsEncrypt(directoryUrl)) && !isStaging(directoryUrl);
}

/**
 * Where to try an order of this directory without spending its limits: Let's Encrypt's staging for Let's Encrypt, a
 * staging directory itself, undefined for any other CA (Google's staging has accounts of its own).
 */
export function stagingOf(directoryUrl: string): string | undefined {
  if (isStaging(directoryUrl)) return directoryUrl;
  return isLetsEncrypt(directoryUrl) ? SERVERS["letsencrypt-staging"] : undefined;
}

// A lineage's renewal settings may hold any text; what is no URL is no public CA.
function hostOf(directoryUrl: string): string {
  return URL.canParse(directoryUrl) ? new URL(directoryUrl).hostname : "";
}
