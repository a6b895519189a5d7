import type { KeyType } from "../certificate/index.ts";
import type { ChosenExternalAccount } from "./choose-external-account.ts";
import type { ChosenProfile } from "./choose-profile.ts";
import type { DockerEngine } from "./docker-engine.ts";
import type { WantedCertificate } from "./domains.ts";

/** Levels of log lines, most urgent first. */
export const CONFIG_LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** Shapes of log lines; `auto` is `pretty` on a terminal, else `json`. */
export const LOG_FORMATS = ["json", "pretty", "auto"] as const;

/** Something that works but that the operator should know; told once, when the settings are read. */
export type SettingWarning = { readonly setting: string; readonly message: string; readonly remedy: string };

/** All settings, deeply frozen. A running daemon never reads them again. */
export type Config = {
  /** The certificates that the settings name, in their order; empty where none is named. */
  readonly wanted: readonly WantedCertificate[];
  /** Contact for a new account, without `mailto:`. */
  readonly email?: string | undefined;
  /** ACME directory URL (RFC 8555 §7.1.1). */
  readonly directoryUrl: string;
  /** ACME directory URL of the CA that is asked when the first one has been failing. */
  readonly fallbackDirectoryUrl?: string | undefined;
  readonly externalAccount?: ChosenExternalAccount | undefined;
  /** Absent: a certificate that is there keeps its own. */
  readonly profile?: ChosenProfile | undefined;
  /** An issuer's common name, or a certificate's SHA-256 fingerprint. Absent: a certificate that is there keeps its own. */
  readonly preferredChain?: string | undefined;
  /** Absent: a certificate that is there goes on as before. */
  readonly reuseKey?: boolean | undefined;
  /** PEM file with the roots of a private CA's HTTPS; not looked at yet. */
  readonly caBundlePath?: string | undefined;
  /** False only for `--no-verify-ssl`: the CA's own HTTPS certificate isn't checked. Never false for Let's Encrypt. */
  readonly verifyTls: boolean;
  /** Absolute, without a trailing slash. */
  readonly webrootPath: string;
  readonly keyType: KeyType;
  /** False: it is the default, which a certificate that is there already needn't follow. */
  readonly isKeyTypeChosen: boolean;
  /** Cron expression, known to be valid; absent: draw one. */
  readonly schedule?: string | undefined;
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
