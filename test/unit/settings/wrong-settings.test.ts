import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KINDS } from "../../../src/app/build.ts";
import { formatMistake, settingsWith } from "../../../src/settings/index.ts";
import { configOf, mistakesOf, readConfig } from "../../support/read-config.ts";

describe("what is wrong", () => {
  const OWN = [
    { CERTBOT_SCHEDULE: "often" },
    { CERTBOT_LOG_LEVEL: "loud" },
    { CERTBOT_LOG_FORMAT: "xml" },
    { DOCKER_HOST: "ssh://engine" },
    { DOCKER_HOST: "tcp://engine:2376", DOCKER_TLS_VERIFY: "1" },
    { CERTBOT_FALLBACK_SERVER: "letsencrypt" },
    { CERTBOT_NOTIFY: "ntfy://x" },
  ];

  test.each(OWN)("is left out, and the default or nothing stands in for it: %j", (environment) => {
    const { mistakes, ...config } = readConfig({ CERTBOT_DOMAIN: "a.test", ...environment });
    expect(mistakes).toHaveLength(1);
    expect({ ...config, mistakes: [] }).toEqual(configOf({ CERTBOT_DOMAIN: "a.test" }));
  });

  test.each([
    { CERTBOT_OPTIONS: "--frobnicate" },
    { CERTBOT_OPTIONS: "'" },
    { CERTBOT_DOMIAN: "b.test" },
    { CERTBOT_SERVER: "nobody" },
    { CERTBOT_EMAIL: "admin@" },
    { CERTBOT_EAB_KID: "kid" },
    { CERTBOT_CA_BUNDLE: "/nowhere.pem" },
    { CERTBOT_WEBROOT_PATH: "www" },
  ])("may leave in doubt how to order: %j", (environment) => {
    const config = readConfig({ CERTBOT_DOMAIN: "a.test;b_", ...environment });
    expect(config.mistakes).toHaveLength(2);
    expect(config).toMatchObject({ areOrdersInDoubt: true, wanted: [{ name: "a.test" }] });
  });

  test("of one certificate says nothing of the others", () => {
    const config = readConfig({ CERTBOT_DOMAIN: "a.test,x_.test;b.test;10.0.0.1;b.test;c.test,d.test;c.test" });
    expect(config.wanted.map(({ name }) => name)).toEqual(["b.test"]);
    expect(config.areOrdersInDoubt).toBe(false);
    expect(config.mistakes).toHaveLength(4);
  });

  test.each(["--ip-address x.test", "--cert-name b.test", "-d x_.test"])(
    "belongs to the first certificate in %s",
    (CERTBOT_OPTIONS) => {
      const { wanted, areOrdersInDoubt } = readConfig({ CERTBOT_DOMAIN: "a.test;b.test", CERTBOT_OPTIONS });
      expect({ wanted: wanted.map(({ name }) => name), areOrdersInDoubt }).toEqual({
        wanted: ["b.test"],
        areOrdersInDoubt: false,
      });
    },
  );

  test("never takes the check of a CA's HTTPS away from Let's Encrypt, nor gives it to a CA that is mistyped", () => {
    expect(readConfig({ CERTBOT_OPTIONS: "--no-verify-ssl" }).verifyTls).toBe(true);
    expect(readConfig({ CERTBOT_OPTIONS: "--no-verify-ssl", CERTBOT_SERVER: "http://ca.test" }).verifyTls).toBe(false);
  });

  test.each([
    ["", "there is no PEM certificate in it"],
    ["no PEM", "there is no PEM certificate in it"],
    ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds certificates that can't be read: "],
  ])("in a CA's bundle is told with the settings: %j", (pem, words) => {
    const mistakes = mistakesOf({ CERTBOT_CA_BUNDLE: "/ca.pem" }, { readFile: () => pem });
    expect(mistakes.map(formatMistake)).toEqual([expect.stringContaining(words)]);
  });

  test("never ends the reading, whatever it is, and takes no certificate that is right away from the others", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("x", "-", "http://", "socks5://u@h", "'", "--staging", "/a", "ssh://h"),
    );
    const names = settingsWith(KINDS).flatMap(({ name, isSecret }) => (isSecret ? [name, `${name}_FILE`] : [name]));
    const own = names.filter((name) => name !== "CERTBOT_DOMAIN" && name !== "CERTBOT_OPTIONS");
    const settings = fc.dictionary(fc.constantFrom(...own), word, { maxKeys: 6 });
    fc.assert(
      fc.property(settings, fc.string({ unit: "binary" }), (environment, domain) => {
        const CERTBOT_DOMAIN = `a.test;${domain.replaceAll(/[\r\n;]/g, "")}_;b.test`;
        const config = readConfig({ ...environment, CERTBOT_DOMAIN });
        expect(config.wanted.map(({ name }) => name)).toEqual(["a.test", "b.test"]);
        expect(config.mistakes.length).toBeGreaterThan(0);
      }),
    );
    fc.assert(fc.property(word, (CERTBOT_OPTIONS) => void readConfig({ CERTBOT_DOMAIN: "a.test", CERTBOT_OPTIONS })));
  });

  test("comes out the same when it is read twice", () => {
    const environment = { CERTBOT_DOMAIN: "a.test;b.test;c_", CERTBOT_OPTIONS: "--dry-run -v --frobnicate" };
    expect(readConfig(environment)).toEqual(readConfig(environment));
  });
});
