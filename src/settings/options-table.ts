import type { SettingWarning } from "./config.ts";

/** One command-line option as certbot's users type it. */
export type OptionRow = {
  readonly name: string;
  /** Other spellings. */
  readonly also?: readonly string[];
  /** What its value is called; absent for an option without one. */
  readonly value?: string;
  /** The only values that it takes, where `value` says them all: those that ask for what is done anyway. */
  readonly takes?: RegExp;
  /** May be given more than once, each adding to the others. */
  readonly isList?: boolean;
  /** Its value is never shown. */
  readonly isSecret?: boolean;
  /** What the operator should know of it, and what to do. */
  readonly warning?: Omit<SettingWarning, "setting">;
  /** Known and refused: what is wrong with it here, and what to do instead. */
  readonly refusal?: string;
  /** The setting that its value is another way to type: it beats that one. */
  readonly setting?: string;
  /** Where it may stand: on the command lines of these, `settings` being CERTBOT_OPTIONS, which renewals know too. */
  readonly verbs: readonly string[];
  readonly doc: string;
};

const EVERYWHERE = ["settings", "update-cert"];

const NEVER_EDITED = {
  message: "A server's configuration is never edited, and names are proven as CERTBOT_CHALLENGE says.",
  remedy: "Take it out of CERTBOT_OPTIONS.",
};

// Without `verbs`: in CERTBOT_OPTIONS alone.
const TABLE = [
  {
    name: "--dry-run",
    verbs: EVERYWHERE,
    warning: {
      message: "While it is set nothing is issued or renewed; update-cert only rehearses.",
      remedy: "Take --dry-run out of CERTBOT_OPTIONS when the rehearsal has passed.",
    },
    doc: "Rehearse the order, at the CA's staging server where one is known (below); install nothing.",
  },
  {
    name: "--force-renewal",
    also: ["--force-renew", "--renew-by-default"],
    verbs: EVERYWHERE,
    warning: {
      message: "It acts only in update-cert; scheduled checks ignore it, since each use spends the CA's limits.",
      remedy: "Take it out of CERTBOT_OPTIONS and run `update-cert --force-renewal` when it is needed.",
    },
    doc: "Renew now though nothing is due. Acts only in `update-cert`; scheduled checks ignore it.",
  },
  {
    name: "--staging",
    also: ["--test-cert"],
    verbs: EVERYWHERE,
    doc: "Use Let's Encrypt's staging server, whose certificates browsers don't trust.",
  },
  { name: "--server", value: "SERVER", setting: "CERTBOT_SERVER", doc: "As `CERTBOT_SERVER`." },
  {
    name: "--domain",
    also: ["--domains", "-d"],
    value: "NAMES",
    isList: true,
    doc: "More names, separated by commas, for the first certificate of `CERTBOT_DOMAIN`. May be repeated.",
  },
  {
    name: "--ip-address",
    value: "ADDRESSES",
    isList: true,
    doc: "IP addresses, separated by commas, for the first certificate of `CERTBOT_DOMAIN`. May be repeated.",
  },
  { name: "--email", also: ["-m"], value: "ADDRESS", setting: "CERTBOT_EMAIL", doc: "As `CERTBOT_EMAIL`." },
  { name: "--key-type", value: "ecdsa|rsa", doc: "As `CERTBOT_KEY_TYPE`, in certbot's words." },
  { name: "--rsa-key-size", value: "2048|3072|4096", doc: "Size of an RSA key." },
  { name: "--elliptic-curve", value: "secp256r1|secp384r1", doc: "Curve of an ECDSA key." },
  { name: "--reuse-key", doc: "Renewals keep the private key. Unset: a certificate that is there goes on as before." },
  { name: "--no-reuse-key", doc: "Each renewal makes a new private key, as by default." },
  {
    name: "--new-key",
    verbs: EVERYWHERE,
    refusal: "is not in this version; put --no-reuse-key into CERTBOT_OPTIONS for one renewal instead",
    doc: "Refused; `--no-reuse-key` for one renewal makes a new key.",
  },
  { name: "--required-profile", value: "PROFILE", doc: "As `CERTBOT_PROFILE`." },
  {
    name: "--preferred-profile",
    value: "PROFILE",
    doc: "Certificate profile where the CA offers it, else the CA's default. Instead of `CERTBOT_PROFILE`, not beside it.",
  },
  {
    name: "--preferred-chain",
    value: "NAME",
    doc: "Of the chains that the CA offers, the one with this issuer: its common name, or a certificate's SHA-256 fingerprint. The CA's default where none matches.",
  },
  { name: "--eab-kid", value: "KID", setting: "CERTBOT_EAB_KID", doc: "As `CERTBOT_EAB_KID`." },
  {
    name: "--eab-hmac-key",
    value: "KEY",
    isSecret: true,
    setting: "CERTBOT_EAB_HMAC_KEY",
    doc: "As `CERTBOT_EAB_HMAC_KEY`, which can come from a file.",
  },
  { name: "--eab-hmac-alg", value: "HS256", doc: "Accepted; HS256 is what is done." },
  {
    name: "--cert-name",
    value: "NAME",
    verbs: EVERYWHERE,
    doc: "In `CERTBOT_OPTIONS` the name of the only certificate; for `update-cert` the one certificate to look at.",
  },
  { name: "--verbose", also: ["-v", "--debug"], verbs: EVERYWHERE, doc: "Show each step." },
  { name: "--quiet", also: ["-q"], verbs: EVERYWHERE, doc: "Show only what needs attention." },
  {
    name: "--agree-tos",
    also: ["--tos"],
    verbs: EVERYWHERE,
    doc: "Accepted; running cert-sidecar agrees to the CA's terms.",
  },
  { name: "--no-eff-email", verbs: EVERYWHERE, doc: "Accepted; the address goes to the CA alone in any case." },
  {
    name: "--eff-email",
    verbs: EVERYWHERE,
    warning: {
      message: "It has no effect: the address goes to the CA alone.",
      remedy: "Take --eff-email out of CERTBOT_OPTIONS.",
    },
    doc: "Accepted with a warning: the address goes to the CA alone.",
  },
  {
    name: "--non-interactive",
    also: ["--noninteractive", "-n"],
    verbs: EVERYWHERE,
    doc: "Accepted; nothing is ever asked.",
  },
  { name: "--webroot", verbs: EVERYWHERE, doc: "Accepted; HTTP-01 by webroot is what is done." },
  {
    name: "--authenticator",
    also: ["-a"],
    value: "PLUGIN",
    doc: "Accepted where it is certbot's word for `CERTBOT_CHALLENGE`: `webroot`.",
  },
  {
    name: "--preferred-challenges",
    value: "CHALLENGES",
    doc: "Accepted where `CERTBOT_CHALLENGE` is among them: `http` or `http-01`.",
  },
  { name: "--nginx", warning: NEVER_EDITED, doc: "Accepted with a warning: nothing is edited." },
  { name: "--apache", warning: NEVER_EDITED, doc: "As `--nginx`." },
  {
    name: "--webroot-path",
    also: ["-w"],
    value: "PATH",
    setting: "CERTBOT_WEBROOT_PATH",
    doc: "As `CERTBOT_WEBROOT_PATH`.",
  },
  {
    name: "--no-verify-ssl",
    warning: {
      message: "The CA's own HTTPS certificate is not checked: anyone on the way can answer in its place.",
      remedy: "Set CERTBOT_CA_BUNDLE to the CA's root certificate and take --no-verify-ssl out.",
    },
    doc: "Don't check the CA's own HTTPS certificate. Refused for Let's Encrypt; `CERTBOT_CA_BUNDLE` is the safe way.",
  },
  {
    name: "--keep-until-expiring",
    also: ["--keep", "--reinstall"],
    verbs: EVERYWHERE,
    doc: "Accepted; a certificate that isn't due is always kept.",
  },
  {
    name: "--expand",
    also: ["--renew-with-new-domains"],
    verbs: EVERYWHERE,
    doc: "Accepted; other names in the settings are ordered at once.",
  },
  {
    name: "--register-unsafely-without-email",
    verbs: EVERYWHERE,
    doc: "Accepted; an account needs no address, and has `CERTBOT_EMAIL` where that is set.",
  },
  {
    name: "--no-random-sleep-on-renew",
    verbs: EVERYWHERE,
    doc: "Accepted; `update-cert` begins at once, and checks are spread anyway.",
  },
  {
    name: "--max-log-backups",
    value: "NUMBER",
    takes: /^\d+$/,
    doc: "Accepted; the log is the container's, no files are written.",
  },
  {
    name: "--disable-hook-validation",
    also: ["--no-directory-hooks", "--disable-renew-updates", "--no-uir", "--no-staple-ocsp"],
    verbs: EVERYWHERE,
    doc: "Accepted; no hooks are run, and nothing is edited.",
  },
  {
    name: "--text",
    also: ["-t", "--no-self-upgrade", "--no-bootstrap"],
    verbs: EVERYWHERE,
    doc: "Accepted; it had a meaning in old versions of certbot.",
  },
  { name: "--http-01-port", value: "80", takes: /^80$/, doc: "Accepted with the port that CAs ask." },
  { name: "--config-dir", value: "/etc/letsencrypt", takes: /^\/etc\/letsencrypt\/?$/, doc: "Accepted as it is." },
  {
    name: "--logs-dir",
    value: "/var/log/letsencrypt",
    takes: /^\/var\/log\/letsencrypt\/?$/,
    doc: "Accepted as it is.",
  },
  {
    name: "--work-dir",
    value: "/var/lib/letsencrypt",
    takes: /^\/var\/lib\/letsencrypt\/?$/,
    doc: "Accepted as it is.",
  },
  { name: "--json", verbs: ["update-cert"], doc: "Print one JSON document." },
] as const satisfies readonly (Omit<OptionRow, "verbs"> & Partial<OptionRow>)[];

/** The main spelling of an option. */
export type OptionName = (typeof TABLE)[number]["name"];

/** A row of {@link OPTIONS}. */
export type NamedOption = OptionRow & { readonly name: OptionName };

/** Every option that this version has; any other is refused. */
export const OPTIONS: readonly NamedOption[] = TABLE.map((row) => ({ verbs: ["settings"], ...row }));

/** An option by any of its spellings, or undefined. */
export function findOption(spelling: string): NamedOption | undefined {
  return OPTIONS.find(({ name, also = [] }) => name === spelling || also.includes(spelling));
}

/** Every spelling of every option that may stand at this place. */
export function spellings(verb: string): string[] {
  return OPTIONS.filter(({ verbs }) => verbs.includes(verb)).flatMap(({ name, also = [] }) => [name, ...also]);
}
