import type { KeyObject } from "node:crypto";
import { createTestIssuer, type TestIssuer } from "../support/issued-certificate.ts";
import type { Draws } from "./draws.ts";

const DAY = 24 * 3600_000;
const YEARS = 20 * 365 * DAY;

/** A certificate as the CA remembers it. */
export type KnownLeaf = {
  /** RFC 9773 §4.1. */
  readonly id: string;
  readonly pem: string;
  readonly names: readonly string[];
  readonly accountUrl: string;
  readonly notBefore: number;
  readonly notAfter: number;
};

/** A window that a CA suggests for a renewal, in milliseconds. */
export type Window = { readonly start: number; readonly end: number };

/** What a leaf is signed for. */
export type LeafWish = { readonly names: readonly string[]; readonly key: KeyObject; readonly accountUrl: string };

/** Every certificate that a CA has signed, and when it wants each to be renewed. */
export class CaRegistry {
  readonly lifeMs: number;
  readonly #issuer: TestIssuer;
  readonly #draws: Draws;
  readonly #leaves = new Map<string, KnownLeaf>();
  #revokedBefore: { readonly issued: number; readonly window: Window } | undefined;

  constructor(lifeMs: number, startMs: number, draws: Draws) {
    this.lifeMs = lifeMs;
    this.#draws = draws;
    const life = { notBefore: new Date(startMs - DAY), notAfter: new Date(startMs + YEARS) };
    this.#issuer = createTestIssuer({ commonName: "Simulated intermediate", ...life });
  }

  get issuerPem(): string {
    return this.#issuer.certificatePem;
  }

  /** Signs a certificate that begins an hour ago, as Let's Encrypt does. */
  sign({ names, key, accountUrl }: LeafWish, nowMs: number): KnownLeaf {
    const notBefore = Math.floor(nowMs / 1000) * 1000 - 3600_000;
    const notAfter = notBefore + this.lifeMs - 1000;
    const serial = this.#drawSerial();
    const life = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
    const pem = this.#issuer.sign({ names, key, serial, ...life });
    const id = `${this.#issuer.authorityKeyId.toString("base64url")}.${serial.toString("base64url")}`;
    const leaf: KnownLeaf = { id, pem, names, accountUrl, notBefore, notAfter };
    this.#leaves.set(id, leaf);
    return leaf;
  }

  find(id: string): KnownLeaf | undefined {
    return this.#leaves.get(id);
  }

  /** Everything issued so far is to be renewed in this window, whatever it was before. */
  revokeAll(window: Window, nowMs: number): void {
    this.#revokedBefore = { issued: nowMs, window };
  }

  /** Ends where the share of life is left at which clients renew that don't ask: a third, or half when it is short. */
  windowOf(leaf: KnownLeaf): Window {
    const revoked = this.#revokedBefore;
    if (revoked && leaf.notBefore + 3600_000 <= revoked.issued) return revoked.window;
    const life = leaf.notAfter - leaf.notBefore;
    const end = leaf.notAfter - life * (life < 10 * DAY ? 1 / 2 : 1 / 3);
    return { start: end - life / 45, end };
  }

  // Some begin with a zero byte, since their first bit would make them negative (X.690 §8.3).
  #drawSerial(): Buffer {
    const bytes = Buffer.from(Array.from({ length: 16 }, () => this.#draws.whole(0, 255)));
    bytes[0] = this.#draws.whole(1, 0x7f);
    if (this.#draws.chance(0.5)) return bytes;
    bytes[0] |= 0x80;
    return Buffer.concat([Buffer.from([0]), bytes]);
  }
}
