import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { expect, test } from "vitest";
import { exec } from "../../../src/target/exec.ts";
import { aVersion } from "../../support/a-version.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";
import { toldStage } from "../../support/told-stage.ts";

const PAIR = await makeTestCertificate(["DNS:a.test"]);
const VERSION = { ...aVersion(PAIR), keyKind: "ec" };

test.each<[TlsOptions, string | undefined, RegExp, RegExp]>([
  [
    { ciphers: "ECDHE-RSA-AES128-GCM-SHA256", maxVersion: "TLSv1.2" },
    "ec",
    /: most often none of its ciphers fits a key of the kind ECDSA$/,
    /^Let mail have ciphers for ECDSA keys or speak TLS 1\.3, or set CERTBOT_KEY_TYPE to rsa\.$/,
  ],
  [
    { ciphers: "ECDHE-RSA-AES128-GCM-SHA256", maxVersion: "TLSv1.2" },
    "ed25519",
    /failure$/,
    /^Check in the configuration of mail that the port/,
  ],
  [
    { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" },
    "ec",
    /: it speaks no version of TLS that clients of today do$/,
    /^Let mail speak TLS 1\.2 and 1\.3\.$/,
  ],
])("what a server's alert alone tells is told (%j, %s)", async (options, keyKind, message, remedy) => {
  const server = createServer({ cert: PAIR.certificatePem, key: PAIR.keyPem, ...options });
  server.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { target } = toldStage(exec, "postfix reload", { port: (server.address() as AddressInfo).port });
    expect(await target.tlsCheck?.({ ...VERSION, keyKind }, new AbortController().signal)).toMatchObject({
      isBroken: true,
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    });
  } finally {
    server.close();
  }
});
