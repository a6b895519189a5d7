import type { Identifier } from "./identifier.ts";
import type { KeyType } from "./key-type.ts";

/** How a certificate is ordered: the one shape of it, from what an operator typed to the CA and to certbot's conf. */
export type OrderSettings = {
  /** ACME directory URL (RFC 8555 §7.1.1). */
  readonly directoryUrl: string;
  readonly keyType: KeyType;
  /** Where to answer HTTP-01 (certbot's `webroot_path`): absolute, without a trailing slash. */
  readonly webrootPath: string;
  readonly profile?: ProfileChoice | undefined;
  /** The chain wanted of those that the CA offers: an issuer's common name, or the SHA-256 fingerprint of a certificate in it. */
  readonly preferredChain?: string | undefined;
  /** Renewals keep the private key. */
  readonly reuseKey: boolean;
};

/** What one source says of {@link OrderSettings}; where it is silent, a certificate that is there keeps its own. */
export type OrderWish = Pick<OrderSettings, "directoryUrl" | "webrootPath"> & {
  readonly [Wish in keyof OrderSettings]?: OrderSettings[Wish] | undefined;
};

/** A certificate profile (draft-ietf-acme-profiles). One that is required and not offered fails before an order is placed. */
export type ProfileChoice = { readonly name: string; readonly isRequired: boolean };

/** One certificate that the settings name; its first name is the certificate's name, unless `--cert-name` says otherwise. */
export type WantedCertificate = { readonly name: string; readonly identifiers: readonly Identifier[] };

/** The key of a certificate for which nobody has said otherwise. */
export const DEFAULT_KEY_TYPE: KeyType = "ecdsa-p256";
