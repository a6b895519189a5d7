import type { Config, SettingWarning } from "./config.ts";
import type { OptionName } from "./options-table.ts";
import type { ParsedOptions } from "./parse-options.ts";
import { SERVERS } from "./servers.ts";

type ServerSettings = Pick<Config, "email" | "directoryUrl" | "fallbackDirectoryUrl">;

type Advice = { readonly option: OptionName; readonly message: string; readonly remedy: string };

const ADVICE: readonly Advice[] = [
  {
    option: "--no-verify-ssl",
    message: "The CA's own HTTPS certificate is not checked: anyone on the way can answer in its place.",
    remedy: "Set CERTBOT_CA_BUNDLE to the CA's root certificate and take --no-verify-ssl out.",
  },
  {
    option: "--force-renewal",
    message: "It acts only in update-cert; scheduled checks ignore it, since each use spends the CA's limits.",
    remedy: "Take it out of CERTBOT_OPTIONS and run `update-cert --force-renewal` when it is needed.",
  },
  {
    option: "--dry-run",
    message: "While it is set nothing is issued or renewed; update-cert only rehearses.",
    remedy: "Take --dry-run out of CERTBOT_OPTIONS when the rehearsal has passed.",
  },
  {
    option: "--eff-email",
    message: "It has no effect: the address goes to the CA alone.",
    remedy: "Take --eff-email out of CERTBOT_OPTIONS.",
  },
];

/** What the operator should know of the CA, though it is no mistake. */
export function findServerWarnings({ email, directoryUrl, fallbackDirectoryUrl }: ServerSettings): SettingWarning[] {
  const isAsked = [directoryUrl, fallbackDirectoryUrl].includes(SERVERS.google);
  if (email !== undefined || !isAsked) return [];
  return [
    {
      setting: "CERTBOT_EMAIL",
      message: "It is not set, and Google registers no account without a contact address.",
      remedy: "Set CERTBOT_EMAIL, unless there is an account at Google in /etc/letsencrypt already.",
    },
  ];
}

/** What the operator should know of the options in `CERTBOT_OPTIONS`, though they are no mistakes. */
export function findOptionWarnings(options: ParsedOptions): SettingWarning[] {
  return ADVICE.filter(({ option }) => options.has(option)).map(({ option, message, remedy }) => ({
    setting: `CERTBOT_OPTIONS ${option}`,
    message,
    remedy,
  }));
}
