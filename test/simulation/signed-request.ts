import { createHash, createPublicKey, verify, type JsonWebKey, type KeyObject } from "node:crypto";

/** A signed request as it came (RFC 8555 §6.2), not yet checked. */
export type SignedRequest = {
  readonly url: string;
  readonly nonce: string;
  /** The account's URL; absent where the request brings its key itself. */
  readonly kid?: string | undefined;
  readonly jwk?: JsonWebKey | undefined;
  /** Undefined for POST-as-GET. */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  /** Whether it was signed with this key, by ES256. */
  readonly isSignedBy: (key: KeyObject) => boolean;
};

/** Reads the body of a POST. Throws an Error when it is no flattened JWS with ES256 and exactly one of kid and jwk. */
export function readSignedRequest(body: string): SignedRequest {
  const jws = JSON.parse(body) as { protected: string; payload: string; signature: string };
  const header = JSON.parse(decode(jws.protected)) as Record<string, unknown>;
  const { alg, url, nonce, kid, jwk } = header as {
    alg: string;
    url: string;
    nonce: string;
    kid?: string;
    jwk?: JsonWebKey;
  };
  if (alg !== "ES256") throw new Error(`alg ${alg}`);
  if ((kid === undefined) === (jwk === undefined)) throw new Error("one of kid and jwk is wanted");
  const signed = Buffer.from(`${jws.protected}.${jws.payload}`);
  const signature = Buffer.from(jws.signature, "base64url");
  return {
    url,
    nonce,
    kid,
    jwk,
    payload: jws.payload === "" ? undefined : (JSON.parse(decode(jws.payload)) as Record<string, unknown>),
    isSignedBy: (key) => verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature),
  };
}

/** RFC 7638, for a P-256 key. */
export function thumbprintOf({ crv, kty, x, y }: JsonWebKey): string {
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
}

/** The key that a request brought. */
export function keyOf(jwk: JsonWebKey): KeyObject {
  return createPublicKey({ key: jwk, format: "jwk" });
}

function decode(text: string): string {
  return Buffer.from(text, "base64url").toString();
}
