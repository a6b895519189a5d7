/** Key algorithms that Let's Encrypt accepts for a certificate (its integration guide). */
export const KEY_TYPES = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"] as const;

/** A certificate key's algorithm and size. */
export type KeyType = (typeof KEY_TYPES)[number];
