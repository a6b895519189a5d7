import { createHttp, lookUpCaa } from "../../src/system/index.ts";

type Network = { readonly http: ReturnType<typeof createHttp>; readonly lookUpCaa: typeof lookUpCaa };

// Reading all the root certificates is what takes the time.
const networks = new Map<string, Network>();

/** The real network, as a CertificateAuthority takes it, for CAs whose own certificate `caPem` signs. */
export function networkOf(caPem: string): Network {
  const known = networks.get(caPem);
  if (known) return known;
  const network = { http: createHttp({ userAgent: "cert-sidecar/tests", caBundlePem: caPem }), lookUpCaa };
  networks.set(caPem, network);
  return network;
}
