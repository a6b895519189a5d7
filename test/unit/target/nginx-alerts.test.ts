import { describe, expect, test } from "vitest";
import { explainAlert, hasCipherFor } from "../../../src/target/nginx-alerts.ts";
import { readConfiguration } from "../../../src/target/nginx-configuration.ts";
import { listeningOf } from "../../../src/target/nginx-listeners.ts";

const NAME = { type: "dns", value: "a.test" } as const;
const LISTENER = { address: "172.18.0.3", port: 443, isProxied: false };
const HANDSHAKE_FAILURE = "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE: ssl/tls alert handshake failure";

/** What is said of an alert by a server with these settings. */
function explain(settings: string, keyKind = "ec", words = HANDSHAKE_FAILURE) {
  const text = `# configuration file /etc/nginx/nginx.conf:\nhttp { server { listen 443 ssl; server_name a.test; ${settings} } }\n`;
  const addresses = [LISTENER.address];
  const listening = listeningOf(readConfiguration(text) ?? [], { ...LISTENER, addresses });
  const certificate = { lineage: "l", identifiers: [NAME], fingerprint: "AA", keyKind };
  return explainAlert(listening, { service: "web", certificate }, { identifier: NAME, listener: LISTENER, words });
}

describe("why a handshake ends in an alert", () => {
  test("is the kind of key, where the ciphers have none for it and TLS 1.3 is off", () => {
    const rsaOnly = "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;";
    expect(explain(rsaOnly)?.because).toBe(
      ": the key is of the kind ECDSA, and its ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256 have none for that",
    );
    expect(explain(rsaOnly)?.remedy).toMatch(/^Put ciphers for ECDSA keys into ssl_ciphers of the service web/);
    expect(explain("ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256; ssl_protocols TLSv1.2;", "rsa")?.because).toContain(
      "kind RSA",
    );
    expect(explain(rsaOnly, "rsa")).toBeUndefined();
    expect(explain(rsaOnly, "ed25519")).toBeUndefined();
    expect(explain(rsaOnly, "")).toBeUndefined();
    expect(explain(`${rsaOnly} ssl_protocols TLSv1.2 TLSv1.3;`)).toBeUndefined();
  });

  test("is the protocol, where it has none of today's", () => {
    expect(explain("ssl_protocols TLSv1 TLSv1.1;")?.because).toContain("its ssl_protocols are TLSv1 TLSv1.1");
  });

  test("is the name, where the server says so", () => {
    const words = "ERR_SSL_TLSV1_UNRECOGNIZED_NAME: tlsv1 unrecognized name";
    expect(explain("ssl_reject_handshake on;", "ec", words)?.remedy).toBe(
      "Give a server of web the name a.test and this certificate.",
    );
  });

  test("isn't known without its configuration", () => {
    const certificate = { lineage: "l", identifiers: [NAME], fingerprint: "AA" };
    const failed = { identifier: NAME, listener: LISTENER, words: HANDSHAKE_FAILURE };
    expect(explainAlert(undefined, { service: "web", certificate }, failed)).toBeUndefined();
    expect(explain("")).toBeUndefined();
  });
});

test.each([
  ["ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA", false, true],
  ["ECDHE-ECDSA-AES128-GCM-SHA256", true, false],
  ["HIGH:!aNULL:!MD5", true, true],
  ["HIGH:!ECDSA", false, true],
  ["HIGH:!aRSA", true, false],
  ["EECDH+AESGCM:EDH+AESGCM", true, true],
  ["ECDHE+aRSA+AESGCM:-ECDSA:@STRENGTH", false, true],
  ["AES128-SHA:+ECDSA", false, true],
  ["ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305", true, true],
])("the ciphers %s may be for ECDSA: %s, for RSA: %s", (list, ecdsa, rsa) => {
  expect([hasCipherFor("ECDSA", list), hasCipherFor("RSA", list)]).toEqual([ecdsa, rsa]);
});
