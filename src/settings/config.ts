import type { Identifier, OrderWish, WantedCertificate } from "../certificate/index.ts";
import type { DeployWay, DockerEngine } from "../ports/index.ts";
import type { Mistake } from "./mistake.ts";
import type { Secret } from "./secret.ts";

/** Levels of log lines, most urgent first. */
export const CONFIG_LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** Shapes of log lines; `auto` is `pretty` on a terminal, else `json`. */
export const LOG_FORMATS = ["json", "pretty", "auto"] as const;

/** Something that works but that the operator should know; told once, when the settings are read. */
export type SettingWarning = { readonly setting: string; readonly message: string; readonly remedy: string };

/** The variables that name proxies. */
export const PROXY_NAMES = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] as const;

type ProxyName = (typeof PROXY_NAMES)[number];

/** Credentials that bind a new account to one at the CA's website (RFC 8555 §7.3.4); the key in base64url. */
export type ChosenExternalAccount = { readonly keyId: string; readonly hmacKey: Secret };

/** All settings, what is wrong left out, deeply frozen. A running daemon never reads them again. */
export type Config = OrderWish & {
  /** Everything that is wrong with them. */
  readonly mistakes: readonly Mistake[];
  /** A mistake leaves in doubt how to order: what is on disk goes on by its conf, and nothing else is ordered. */
  readonly areOrdersInDoubt: boolean;
  /** The certificates that the settings name, in their order, those with a mistake left out; empty where none is named. */
  readonly wanted: readonly WantedCertificate[];
  /** The names of those left out: no other certificate is to lose one of them meanwhile. */
  readonly leftOut: readonly Identifier[];
  /** Contact for a new account, without `mailto:`. */
  readonly email?: string | undefined;
  /** ACME directory URL of the CA that is asked when the first one has been failing. */
  readonly fallbackDirectoryUrl?: string | undefined;
  readonly externalAccount?: ChosenExternalAccount | undefined;
  /** The same for the fallback CA. */
  readonly fallbackExternalAccount?: ChosenExternalAccount | undefined;
  /** PEM file with the roots of a private CA's HTTPS. */
  readonly caBundle?: { readonly path: string; readonly pem: string } | undefined;
  /** Proxies by the names of their variables; undefined where none is set. */
  readonly proxies?: Readonly<Partial<Record<ProxyName, string>>> | undefined;
  /** False only for `--no-verify-ssl`: the CA's own HTTPS certificate isn't checked. Never false for Let's Encrypt. */
  readonly verifyTls: boolean;
  /** Cron expression, known to be valid; absent: draw one. */
  readonly schedule?: string | undefined;
  /** What each channel is set to, by its kind's name; undefined where it isn't used. */
  readonly channels: Readonly<Record<string, unknown>>;
  /** Unset: nginx is told through the Docker API. */
  readonly deploy?: readonly DeployWay[] | undefined;
  readonly docker: DockerEngine;
  readonly logLevel: (typeof CONFIG_LOG_LEVELS)[number];
  readonly logFormat: (typeof LOG_FORMATS)[number];
  /** Those of `CERTBOT_OPTIONS` that aren't a setting in another form. */
  readonly options: {
    /** Place no order by itself; rehearse in an explicit command. */
    readonly dryRun: boolean;
    /** Renew though nothing is due; only in an explicit command. */
    readonly forceRenewal: boolean;
    readonly verbose: boolean;
    readonly quiet: boolean;
  };
  readonly warnings: readonly SettingWarning[];
};
