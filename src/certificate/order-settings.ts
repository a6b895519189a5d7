import type { Identifier } from "./identifier.ts";
import type { KeyType } from "./key-type.ts";

/** How a certificate is ordered: the one shape of it, from what an operator typed to the CA and to certbot's conf. */
export type OrderSettings = {
  /** ACME directory URL (RFC 8555 §7.1.1). */
  readonly directoryUrl: string;
  readonly keyType: KeyType;
  /** How its names are proven: the first one that fits a name. */
  readonly challenges: readonly ChallengeUse[];
  readonly profile?: ProfileChoice | undefined;
  /** The chain wanted of those that the CA offers: an issuer's common name, or the SHA-256 fingerprint of a certificate in it. */
  readonly preferredChain?: string | undefined;
  /** Renewals keep the private key. */
  readonly reuseKey: boolean;
};

/** What one source says of {@link OrderSettings}; where it is silent, a certificate that is there keeps its own. */
export type OrderWish = Pick<OrderSettings, "directoryUrl" | "challenges"> & {
  readonly [Wish in keyof OrderSettings]?: OrderSettings[Wish] | undefined;
};

/** The ways to prove control of a name (RFC 8555 §8). */
export type ChallengeType = "http-01" | "dns-01";

/** A kind of challenge by its name, chosen for some names or all, with what it is set to: that is for the kind to know. */
export type ChallengeUse = {
  readonly names: "all" | readonly string[];
  readonly kind: string;
  readonly type: ChallengeType;
  readonly settings: unknown;
};

/** The challenge that is to prove a name. */
export function challengeFor(challenges: readonly ChallengeUse[], { value }: Identifier): ChallengeUse | undefined {
  return challenges.find(({ names }) => names === "all" || names.includes(value));
}

/** A certificate profile (draft-ietf-acme-profiles). One that is required and not offered fails before an order is placed. */
export type ProfileChoice = { readonly name: string; readonly isRequired: boolean };

/** One certificate that the settings name; its first name is the certificate's name, unless `--cert-name` says otherwise. */
export type WantedCertificate = { readonly name: string; readonly identifiers: readonly Identifier[] };

/** The key of a certificate for which nobody has said otherwise. */
export const DEFAULT_KEY_TYPE: KeyType = "ecdsa-p256";
