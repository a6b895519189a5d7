import { createHttp, lookUpCaa } from "../../src/system/index.ts";

/** The real network, as a CertificateAuthority takes it, for CAs whose own certificate `caPem` signs. */
export function networkOf(caPem: string) {
  return { http: createHttp({ userAgent: "cert-sidecar/tests", caBundlePem: caPem }), lookUpCaa };
}
