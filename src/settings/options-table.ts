/** One command-line option as certbot's users type it. */
export type OptionRow = {
  readonly name: string;
  /** Other spellings. */
  readonly also: readonly string[];
  /** What its value is called; absent for an option without one. */
  readonly value?: string;
  /** May be given more than once, each adding to the others. */
  readonly isList?: boolean;
  /** Its value is never shown. */
  readonly isSecret?: boolean;
  /** Known and refused: what is wrong with it here, and what to do instead. */
  readonly refusal?: string;
  /** `settings`: only in CERTBOT_OPTIONS, since renewals must know it too. `command`: only for one call of update-cert. */
  readonly where: "settings" | "command" | "both";
  readonly doc: string;
};

/** Every option that this version has; any other is refused. */
export const OPTIONS = [
  {
    name: "--dry-run",
    also: [],
    where: "both",
    doc: "Rehearse the order, at the CA's staging server where one is known (below); install nothing.",
  },
  {
    name: "--force-renewal",
    also: ["--force-renew", "--renew-by-default"],
    where: "both",
    doc: "Renew now though nothing is due. Acts only in `update-cert`; scheduled checks ignore it.",
  },
  {
    name: "--staging",
    also: ["--test-cert"],
    where: "both",
    doc: "Use Let's Encrypt's staging server, whose certificates browsers don't trust.",
  },
  { name: "--server", also: [], value: "SERVER", where: "settings", doc: "As `CERTBOT_SERVER`." },
  {
    name: "--domain",
    also: ["--domains", "-d"],
    value: "NAMES",
    isList: true,
    where: "settings",
    doc: "More names, separated by commas, for the first certificate of `CERTBOT_DOMAIN`. May be repeated.",
  },
  {
    name: "--ip-address",
    also: [],
    value: "ADDRESSES",
    isList: true,
    where: "settings",
    doc: "IP addresses, separated by commas, for the first certificate of `CERTBOT_DOMAIN`. May be repeated.",
  },
  { name: "--email", also: ["-m"], value: "ADDRESS", where: "settings", doc: "As `CERTBOT_EMAIL`." },
  {
    name: "--key-type",
    also: [],
    value: "ecdsa|rsa",
    where: "settings",
    doc: "As `CERTBOT_KEY_TYPE`, in certbot's words.",
  },
  { name: "--rsa-key-size", also: [], value: "2048|3072|4096", where: "settings", doc: "Size of an RSA key." },
  {
    name: "--elliptic-curve",
    also: [],
    value: "secp256r1|secp384r1",
    where: "settings",
    doc: "Curve of an ECDSA key.",
  },
  {
    name: "--reuse-key",
    also: [],
    where: "settings",
    doc: "Renewals keep the private key. Unset: a certificate that is there goes on as before.",
  },
  { name: "--no-reuse-key", also: [], where: "settings", doc: "Each renewal makes a new private key, as by default." },
  {
    name: "--new-key",
    also: [],
    where: "both",
    refusal: "is not in this version; put --no-reuse-key into CERTBOT_OPTIONS for one renewal instead",
    doc: "Refused; `--no-reuse-key` for one renewal makes a new key.",
  },
  { name: "--required-profile", also: [], value: "PROFILE", where: "settings", doc: "As `CERTBOT_PROFILE`." },
  {
    name: "--preferred-profile",
    also: [],
    value: "PROFILE",
    where: "settings",
    doc: "Certificate profile where the CA offers it, else the CA's default. Instead of `CERTBOT_PROFILE`, not beside it.",
  },
  {
    name: "--preferred-chain",
    also: [],
    value: "NAME",
    where: "settings",
    doc: "Of the chains that the CA offers, the one with this issuer: its common name, or a certificate's SHA-256 fingerprint. The CA's default where none matches.",
  },
  { name: "--eab-kid", also: [], value: "KID", where: "settings", doc: "As `CERTBOT_EAB_KID`." },
  {
    name: "--eab-hmac-key",
    also: [],
    value: "KEY",
    isSecret: true,
    where: "settings",
    doc: "As `CERTBOT_EAB_HMAC_KEY`, which can come from a file.",
  },
  { name: "--eab-hmac-alg", also: [], value: "HS256", where: "settings", doc: "Accepted; HS256 is what is done." },
  {
    name: "--cert-name",
    also: [],
    value: "NAME",
    where: "both",
    doc: "In `CERTBOT_OPTIONS` the name of the only certificate; for `update-cert` the one certificate to look at.",
  },
  { name: "--verbose", also: ["-v", "--debug"], where: "both", doc: "Show each step." },
  { name: "--quiet", also: ["-q"], where: "both", doc: "Show only what needs attention." },
  { name: "--agree-tos", also: [], where: "both", doc: "Accepted; running cert-sidecar agrees to the CA's terms." },
  { name: "--no-eff-email", also: [], where: "both", doc: "Accepted; the address goes to the CA alone in any case." },
  { name: "--eff-email", also: [], where: "both", doc: "Accepted with a warning: the address goes to the CA alone." },
  {
    name: "--non-interactive",
    also: ["--noninteractive", "-n"],
    where: "both",
    doc: "Accepted; nothing is ever asked.",
  },
  { name: "--webroot", also: [], where: "both", doc: "Accepted; HTTP-01 by webroot is what is done." },
  { name: "--webroot-path", also: ["-w"], value: "PATH", where: "settings", doc: "As `CERTBOT_WEBROOT_PATH`." },
  {
    name: "--no-verify-ssl",
    also: [],
    where: "settings",
    doc: "Don't check the CA's own HTTPS certificate. Refused for Let's Encrypt; `CERTBOT_CA_BUNDLE` is the safe way.",
  },
  {
    name: "--keep-until-expiring",
    also: ["--keep"],
    where: "both",
    doc: "Accepted; a certificate that isn't due is always kept.",
  },
  { name: "--json", also: [], where: "command", doc: "Print one JSON document." },
] as const satisfies readonly OptionRow[];

/** The main spelling of an option. */
export type OptionName = (typeof OPTIONS)[number]["name"];

/** An option by any of its spellings, or undefined. */
export function findOption(spelling: string): (OptionRow & { readonly name: OptionName }) | undefined {
  return OPTIONS.find(({ name, also }) => name === spelling || (also as readonly string[]).includes(spelling));
}

/** Every spelling of every option that is allowed at this place. */
export function spellings(place: "settings" | "command"): string[] {
  const allowed = OPTIONS.filter(({ where }) => where === "both" || where === place);
  return allowed.flatMap(({ name, also }) => [name, ...also]);
}
