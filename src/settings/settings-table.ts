import type { ChallengeKinds, Kind, SettingRow } from "../ports/index.ts";

const GENERAL: readonly SettingRow[] = [
  {
    name: "CERTBOT_DOMAIN",
    doc: "The names of one certificate, separated by commas or blanks; the next certificate starts after `;` or a new line. The first name is the certificate's name. Required unless `/etc/letsencrypt` already holds certificates to renew.",
  },
  { name: "CERTBOT_EMAIL", doc: "Contact address that the CA gets with a new account. Optional." },
  {
    name: "CERTBOT_OPTIONS",
    doc: "certbot command-line options, like `--staging` or `--key-type rsa`, split into words as a shell does and never evaluated by one. They beat the other settings.",
  },
  {
    name: "CERTBOT_SERVER",
    defaultText: "letsencrypt",
    doc: "The CA: `letsencrypt`, `letsencrypt-staging`, `zerossl`, `google`, or the https:// URL of an ACME directory.",
  },
  {
    name: "CERTBOT_FALLBACK_SERVER",
    doc: "A second CA, named like `CERTBOT_SERVER`, that is asked when the first has been failing; the next renewal goes to the first again. Either both are for tests (`letsencrypt-staging`) or none.",
  },
  {
    name: "CERTBOT_CA_BUNDLE",
    doc: "Path, in the container, of a PEM file with the roots that sign a private CA's own HTTPS.",
  },
  {
    name: "HTTPS_PROXY",
    also: "https_proxy",
    doc: "Proxy on the way to CAs, and to whatever else is asked by HTTPS: an http:// or https:// URL, like `http://proxy.your-site.org:3128`. Also as `https_proxy`. Never used for Docker; `ALL_PROXY` isn't read.",
  },
  { name: "HTTP_PROXY", also: "http_proxy", doc: "The same for what is asked by HTTP. Also as `http_proxy`." },
  {
    name: "NO_PROXY",
    also: "no_proxy",
    doc: "Hosts that are asked without a proxy, separated by commas: `ca.your-site.org`, `.your-site.org`, addresses; `*` for all. Also as `no_proxy`.",
  },
  {
    name: "CERTBOT_EAB_KID",
    doc: "Key identifier of an account at the CA's website, for CAs that require an external account binding (ZeroSSL, Google, SSL.com).",
  },
  {
    name: "CERTBOT_EAB_HMAC_KEY",
    isSecret: true,
    doc: "The HMAC key that belongs to `CERTBOT_EAB_KID`, as the CA's website shows it. `CERTBOT_EAB_HMAC_KEY_FILE` names a file to read it from.",
  },
  { name: "CERTBOT_FALLBACK_EAB_KID", doc: "As `CERTBOT_EAB_KID`, for `CERTBOT_FALLBACK_SERVER`." },
  {
    name: "CERTBOT_FALLBACK_EAB_HMAC_KEY",
    isSecret: true,
    isAside: true,
    doc: "The HMAC key that belongs to `CERTBOT_FALLBACK_EAB_KID`; `CERTBOT_FALLBACK_EAB_HMAC_KEY_FILE` names a file to read it from.",
  },
  {
    name: "CERTBOT_PROFILE",
    doc: "Certificate profile of the CA, like `tlsserver` or `shortlived` (which Let's Encrypt wants for an IP address); nothing is ordered from a CA that doesn't offer it. Unset: one that is there keeps its own, a new one gets the CA's default.",
  },
  {
    name: "CERTBOT_CHALLENGE",
    defaultText: "http-01",
    doc: "How control of a name is proved:",
  },
  {
    name: "CERTBOT_KEY_TYPE",
    defaultText: "ecdsa-p256",
    doc: "Key of new certificates: `ecdsa-p256`, `ecdsa-p384`, `rsa-2048`, `rsa-3072`, `rsa-4096`. Unset: one that is there keeps its kind of key.",
  },
  {
    name: "CERTBOT_SCHEDULE",
    doc: "Cron expression of the full check, in UTC unless `TZ` is set. A day of the month and a day of the week must both fit, unlike in other crons. Unset: one minute of each half hour, drawn once. Whether anything is due is decided at the check.",
  },
  {
    name: "CERTBOT_LOG_LEVEL",
    defaultText: "info",
    doc: "Least urgent log lines to print: `error`, `warn`, `info`, `debug`.",
  },
  {
    name: "CERTBOT_LOG_FORMAT",
    defaultText: "auto",
    doc: "`json`, `pretty`, or `auto`: pretty on a terminal, else JSON.",
  },
  {
    name: "CERTBOT_DEPLOY",
    doc: "How nginx comes to serve a certificate. Unset: the sidecar tells it through the Docker API. `nginx:watch`: our nginx takes over by itself what is on disk, and the sidecar needs no way to Docker; it finds nginx by the name `nginx` in Docker's DNS, an alias of its network too. Both containers need it. `service:NAME`: this compose service is told through the Docker API, in place of `nginx`; `service:PROJECT/NAME`: one of another project, which shares a network with this container. `verify:HOST:PORT`, like `verify:host-gateway:443`: a server there, as an nginx on the host, is looked at by TLS, and its machine reloads it when `sidecar/reload` changes (docs/host-nginx.md); HOST is a name, an IPv4 address, or an IPv6 address in brackets. Several with blanks between.",
  },
  {
    name: "DOCKER_HOST",
    defaultText: "unix:///var/run/docker.sock",
    doc: "Docker Engine: `unix:///path` or `tcp://host:port`, as for the docker CLI. Nobody asks it with `CERTBOT_DEPLOY=nginx:watch`.",
  },
  { name: "DOCKER_TLS_VERIFY", doc: "Any value: speak TLS to a `tcp://` engine, as for the docker CLI." },
  { name: "DOCKER_CERT_PATH", doc: "Folder with `ca.pem`, `cert.pem`, `key.pem` for `DOCKER_TLS_VERIFY`." },
];

/** The lists of what an operator can choose by a word. */
export type Kinds = { readonly challenges: ChallengeKinds; readonly channels: readonly Kind<unknown>[] };

/** Every setting that this version reads, those of the kinds that can be chosen among them. */
export function settingsWith({ challenges, channels }: Kinds): readonly SettingRow[] {
  const ofChallenges = challenges.flatMap(({ rows }) => rows);
  const words = challenges.map(({ name }) => `\`${name}\``).join(", ");
  const chosen = (row: SettingRow) => [{ ...row, doc: `${row.doc} ${words}.` }, ...ofChallenges];
  const first = GENERAL.flatMap((row) => (row.name === "CERTBOT_CHALLENGE" ? chosen(row) : [row]));
  return [...first, ...channels.flatMap(({ rows }) => rows.map((row) => ({ ...row, isAside: true })))];
}

/** Settings of the design that a later version reads: refused with those words, so that nobody believes they act. */
export const PLANNED_SETTINGS = ["CERTBOT_LANG", "CERTBOT_NOTIFY", "CERTBOT_STATUS_LISTEN"] as const;

/** Variables that certbot gives to hooks; a hook that starts something of ours passes them on, so they mean nothing. */
export const HOOK_VARIABLES = [
  "CERTBOT_ALL_DOMAINS",
  "CERTBOT_ALL_IDENTIFIERS",
  "CERTBOT_AUTH_OUTPUT",
  "CERTBOT_IDENTIFIER",
  "CERTBOT_REMAINING_CHALLENGES",
  "CERTBOT_TOKEN",
  "CERTBOT_VALIDATION",
] as const;
