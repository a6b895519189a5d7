// The parts of acme-client 5.4 that we use, left out of its own types. They are imported from its files, not from its index:
// that one loads node-forge, 20 MB for an interface that nobody needs.

declare module "acme-client/src/http.js" {
  /** A JWS in the flattened form that ACME wants (RFC 8555 §6.2). */
  type Jws = { readonly protected: string; readonly payload: string; readonly signature: string };
  type Header = { readonly nonce?: string | undefined; readonly kid?: string | undefined };

  /** Its network is left alone: it signs. */
  class HttpClient {
    constructor(directoryUrl: string, accountKey: string);
    /** The public key, in the order of names that a thumbprint wants (RFC 7638 §3). */
    getJwk(): object;
    /** Of POST-as-GET when `payload` is null. With the key itself in the header where there is no `kid`. */
    createSignedBody(url: string, payload: object | null, header?: Header): Jws;
    createSignedHmacBody(hmacKey: string, url: string, payload: object, header: Header): Jws;
  }
  export = HttpClient;
}
