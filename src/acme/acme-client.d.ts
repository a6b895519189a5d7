// The parts of acme-client 5.4 that we use, some of them left out of its own types. They are imported from its files, not
// from its index: that one loads node-forge, 20 MB for an interface that nobody needs.

declare module "acme-client/src/client.js" {
  /** What our own `request` gives; the library reads status, headers and data, and hands on the very object. */
  type Reply = {
    readonly status: number;
    readonly headers: Readonly<Record<string, string | undefined>>;
    readonly data: unknown;
    readonly text: string;
  };

  class Client {
    constructor(options: { directoryUrl: string; accountKey: string; accountUrl?: string });
    /** Signing. Its three methods here are the seam: all of the network goes through them. */
    readonly http: {
      maxBadNonceRetries: number;
      request(url: string, method: string, options?: { readonly data?: unknown }): Promise<Reply>;
      getNonce(): Promise<string>;
      getDirectory(): Promise<object>;
    };
    readonly api: {
      /** A signed POST, POST-as-GET when `payload` is null. With no list of statuses each reply is given as it is. */
      apiRequest(
        url: string,
        payload: object | null,
        validStatusCodes: readonly number[],
        options: { includeJwsKid: boolean },
      ): Promise<Reply>;
    };
    getChallengeKeyAuthorization(challenge: { type: "http-01"; token: string }): Promise<string>;
  }
  export = Client;
}

declare module "acme-client/src/http.js" {
  /** A JWS in the flattened form that ACME wants (RFC 8555 §6.2). */
  type Jws = { readonly protected: string; readonly payload: string; readonly signature: string };

  class HttpClient {
    constructor(directoryUrl: string, accountKey: string);
    getJwk(): object;
    createSignedBody(url: string, payload: object): Jws;
    createSignedHmacBody(hmacKey: string, url: string, payload: object, options: { kid: string }): Jws;
  }
  export = HttpClient;
}

declare module "acme-client/src/crypto/index.js" {
  export function createCsr(data: { altNames: string[] }, keyPem: string): Promise<[Buffer, Buffer]>;
}
