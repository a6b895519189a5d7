import { inspect } from "node:util";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatMistake } from "../../../src/settings/index.ts";
import { configOf, mistakesOf, readConfig } from "../../support/read-config.ts";

const PRIVATE = "https://ca.internal.test/dir";
const KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

type Environment = Readonly<Record<string, string>>;

function linesOf(environment: Environment): string[] {
  return mistakesOf({ CERTBOT_DOMAIN: "a.test", ...environment }).map(formatMistake);
}

function configWith(environment: Environment) {
  return configOf({ CERTBOT_DOMAIN: "a.test", ...environment });
}

describe("the fallback CA", () => {
  test("is named like the first", () => {
    expect(configWith({ CERTBOT_FALLBACK_SERVER: "zerossl" }).fallbackDirectoryUrl).toMatch(/^https:\/\/acme\.zerossl/);
    expect(configWith({ CERTBOT_FALLBACK_SERVER: PRIVATE }).fallbackDirectoryUrl).toBe(PRIVATE);
    expect(configWith({ CERTBOT_FALLBACK_SERVER: " " }).fallbackDirectoryUrl).toBeUndefined();
  });

  test.each<[Environment, string]>([
    [{ CERTBOT_FALLBACK_SERVER: "http://ca.test/" }, "doesn't begin with https://"],
    [{ CERTBOT_FALLBACK_SERVER: "letsencrypt" }, "is the first CA itself"],
    [{ CERTBOT_FALLBACK_SERVER: PRIVATE, CERTBOT_SERVER: PRIVATE }, "is the first CA itself"],
    [{ CERTBOT_FALLBACK_SERVER: PRIVATE, CERTBOT_OPTIONS: `--server ${PRIVATE}` }, "is the first CA itself"],
    [{ CERTBOT_FALLBACK_SERVER: "letsencrypt-staging" }, "gives certificates for tests"],
    [{ CERTBOT_FALLBACK_SERVER: "letsencrypt-staging", CERTBOT_SERVER: PRIVATE }, "gives certificates for tests"],
    [{ CERTBOT_FALLBACK_SERVER: "zerossl", CERTBOT_SERVER: "letsencrypt-staging" }, "gives real certificates"],
    [{ CERTBOT_FALLBACK_SERVER: "zerossl", CERTBOT_OPTIONS: "--staging" }, "take it out while you test"],
  ])("is refused in %j, with the reason", (environment, reason) => {
    expect(linesOf(environment)).toEqual([expect.stringContaining(reason)]);
    expect(linesOf(environment)[0]).toMatch(/^CERTBOT_FALLBACK_SERVER=/);
  });

  test("is spoken to with its HTTPS checked where it is Let's Encrypt", () => {
    const environment = { CERTBOT_SERVER: PRIVATE, CERTBOT_FALLBACK_SERVER: "letsencrypt" };
    expect(linesOf({ ...environment, CERTBOT_OPTIONS: "--no-verify-ssl" })).toEqual([
      expect.stringContaining("is refused for Let's Encrypt"),
    ]);
  });
});

describe("an account at the CA's website", () => {
  test.each<[Environment, Environment]>([
    [{ CERTBOT_EAB_KID: "kid-1", CERTBOT_EAB_HMAC_KEY: KEY }, {}],
    [{ CERTBOT_OPTIONS: `--eab-kid kid-1 --eab-hmac-key ${KEY} --eab-hmac-alg hs256` }, {}],
    [{ CERTBOT_EAB_KID: "kid-0", CERTBOT_EAB_HMAC_KEY: KEY, CERTBOT_OPTIONS: "--eab-kid=kid-1" }, {}],
    [{ CERTBOT_EAB_KID: "kid-1", CERTBOT_EAB_HMAC_KEY_FILE: "/run/secrets/key" }, { "/run/secrets/key": `${KEY}\n` }],
  ])("is read from %j", (environment, files) => {
    const readFile = (path: string) => files[path] ?? "";
    const { externalAccount } = configOf(environment, { readFile });
    expect(externalAccount?.keyId).toBe("kid-1");
    expect(externalAccount?.hmacKey.reveal()).toBe(KEY);
  });

  test("may have its key in plain base64, with the letters and the end of that", () => {
    const { externalAccount } = configWith({ CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY: "ab+/cd==" });
    expect(externalAccount?.hmacKey.reveal()).toBe("ab-_cd");
  });

  test("shows its key nowhere", () => {
    const config = configWith({ CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY: KEY });
    expect(`${JSON.stringify(config)}${inspect(config, { depth: 9 })}`).not.toContain(KEY);
  });

  test.each<[Environment, string]>([
    [{ CERTBOT_EAB_KID: "kid" }, "CERTBOT_EAB_KID: needs CERTBOT_EAB_HMAC_KEY beside it"],
    [{ CERTBOT_EAB_HMAC_KEY: "hunter2-" }, "CERTBOT_EAB_HMAC_KEY: needs CERTBOT_EAB_KID beside it"],
    [{ CERTBOT_OPTIONS: "--eab-hmac-key hunter2-" }, "CERTBOT_EAB_HMAC_KEY: needs CERTBOT_EAB_KID beside it"],
    [{ CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY: "hunter2 x" }, "CERTBOT_EAB_HMAC_KEY: is no base64url text"],
    [{ CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY: "hunter2hu" }, "CERTBOT_EAB_HMAC_KEY: is no base64url text"],
    [
      { CERTBOT_EAB_KID: "kid", CERTBOT_OPTIONS: "--eab-hmac-key hunter2%" },
      "CERTBOT_OPTIONS --eab-hmac-key: is no base",
    ],
    [{ CERTBOT_EAB_KID: "my kid", CERTBOT_EAB_HMAC_KEY: KEY }, 'CERTBOT_EAB_KID="my kid": has a blank'],
    [
      { CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY_FILE: "/nowhere" },
      'CERTBOT_EAB_HMAC_KEY_FILE="/nowhere": names an',
    ],
    [{ CERTBOT_OPTIONS: "--eab-hmac-alg HS512" }, "allowed: HS256"],
  ])("is refused in %j, and its key isn't shown", (environment, start) => {
    const lines = linesOf(environment);
    expect(lines).toEqual([expect.stringContaining(start)]);
    expect(lines.join("\n")).not.toContain("hunter2");
  });
});

describe("the fallback CA's account at its website", () => {
  const FALLBACK = { CERTBOT_SERVER: "google", CERTBOT_EMAIL: "a@b.test", CERTBOT_FALLBACK_SERVER: "zerossl" };
  const OWN = { CERTBOT_FALLBACK_EAB_KID: "kid-2", CERTBOT_FALLBACK_EAB_HMAC_KEY: "ab+/cd==" };

  test("is its own, and not the first's", () => {
    const config = configWith({ ...FALLBACK, CERTBOT_EAB_KID: "kid-1", CERTBOT_EAB_HMAC_KEY: KEY, ...OWN });
    expect([config.externalAccount?.keyId, config.fallbackExternalAccount?.keyId]).toEqual(["kid-1", "kid-2"]);
    expect(config.fallbackExternalAccount?.hmacKey.reveal()).toBe("ab-_cd");
    const first = configWith({ ...FALLBACK, CERTBOT_EAB_KID: "kid-1", CERTBOT_EAB_HMAC_KEY: KEY });
    expect(first.fallbackExternalAccount).toBeUndefined();
    expect(configWith({ ...FALLBACK, ...OWN }).externalAccount).toBeUndefined();
  });

  test("is the only one there is where the first CA, Let's Encrypt, has none", () => {
    const environment = { CERTBOT_FALLBACK_SERVER: "zerossl", CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY: KEY };
    expect(configWith(environment).fallbackExternalAccount?.keyId).toBe("kid");
    expect(configWith({ ...environment, ...OWN }).fallbackExternalAccount?.keyId).toBe("kid-2");
  });

  test("may have its key in a file", () => {
    const { CERTBOT_FALLBACK_EAB_KID } = OWN;
    const environment = { ...FALLBACK, CERTBOT_FALLBACK_EAB_KID, CERTBOT_FALLBACK_EAB_HMAC_KEY_FILE: "/run/key" };
    const { fallbackExternalAccount } = configOf(environment, { readFile: () => `${KEY}\n` });
    expect(fallbackExternalAccount?.hmacKey.reveal()).toBe(KEY);
  });

  test.each<[Environment, string]>([
    [{ CERTBOT_FALLBACK_EAB_KID: "kid" }, "CERTBOT_FALLBACK_EAB_KID: needs CERTBOT_FALLBACK_EAB_HMAC_KEY beside it"],
    [{ CERTBOT_FALLBACK_EAB_HMAC_KEY: "hunter2-" }, "CERTBOT_FALLBACK_EAB_HMAC_KEY: needs CERTBOT_FALLBACK_EAB_KID"],
    [{ ...OWN, CERTBOT_FALLBACK_EAB_HMAC_KEY: "hunter2 x" }, "CERTBOT_FALLBACK_EAB_HMAC_KEY: is no base64url text"],
    [{ ...OWN, CERTBOT_FALLBACK_SERVER: "" }, "CERTBOT_FALLBACK_EAB_KID: needs CERTBOT_FALLBACK_SERVER beside it"],
    [
      { CERTBOT_FALLBACK_EAB_KID: "kid", CERTBOT_FALLBACK_EAB_HMAC_KEY_FILE: "/nowhere" },
      'CERTBOT_FALLBACK_EAB_HMAC_KEY_FILE="/nowhere": names an empty file',
    ],
  ])("is refused in %j, which holds up no order", (environment, start) => {
    const all = { CERTBOT_DOMAIN: "a.test", ...FALLBACK, ...environment };
    const config = readConfig(all, { readFile: () => "" });
    expect(config.mistakes.map(formatMistake)).toEqual([expect.stringContaining(start)]);
    expect(config.mistakes.map(formatMistake).join()).not.toContain("hunter2");
    expect(config).toMatchObject({ areOrdersInDoubt: false, fallbackExternalAccount: undefined });
    // Nor does one that is set for another CA stand in for it.
    const others = { CERTBOT_SERVER: "letsencrypt", CERTBOT_EAB_KID: "kid-1", CERTBOT_EAB_HMAC_KEY: KEY };
    const beside = readConfig({ ...all, ...others }, { readFile: () => "" });
    expect(beside).toMatchObject({ externalAccount: { keyId: "kid-1" }, fallbackExternalAccount: undefined });
  });
});

describe("a profile", () => {
  test.each<[Environment, object | undefined]>([
    [{}, undefined],
    [{ CERTBOT_PROFILE: "shortlived" }, { name: "shortlived", isRequired: true }],
    [{ CERTBOT_OPTIONS: "--required-profile tlsserver" }, { name: "tlsserver", isRequired: true }],
    [{ CERTBOT_OPTIONS: "--preferred-profile=tlsserver" }, { name: "tlsserver", isRequired: false }],
    [
      { CERTBOT_PROFILE: "a", CERTBOT_OPTIONS: "--required-profile a" },
      { name: "a", isRequired: true },
    ],
  ])("is read from %j", (environment, profile) => {
    expect(configWith(environment).profile).toEqual(profile);
  });

  test.each<[Environment, string]>([
    [
      { CERTBOT_PROFILE: "a", CERTBOT_OPTIONS: "--required-profile b" },
      "--required-profile: contradicts CERTBOT_PROFILE",
    ],
    [
      { CERTBOT_PROFILE: "a", CERTBOT_OPTIONS: "--preferred-profile b" },
      "--preferred-profile: contradicts CERTBOT_PROFILE",
    ],
    [{ CERTBOT_OPTIONS: "--required-profile a --preferred-profile b" }, "contradicts --required-profile"],
    [{ CERTBOT_PROFILE: "short lived" }, 'CERTBOT_PROFILE="short lived": is no profile\'s name'],
    [{ CERTBOT_OPTIONS: "--preferred-profile '#x'" }, "is no profile's name"],
  ])("is refused in %j", (environment, part) => {
    expect(linesOf(environment)).toEqual([expect.stringContaining(part)]);
  });
});

describe("the chain and the key", () => {
  test("are as certbot's options have them", () => {
    const CERTBOT_OPTIONS = "--preferred-chain 'ISRG Root X1' --reuse-key";
    expect(configWith({ CERTBOT_OPTIONS })).toMatchObject({ preferredChain: "ISRG Root X1", reuseKey: true });
    expect(configWith({ CERTBOT_OPTIONS: "--no-reuse-key" }).reuseKey).toBe(false);
  });

  test.each([
    ["--reuse-key --no-reuse-key", "contradicts --reuse-key"],
    ['--preferred-chain "Bob\'s CA"', "certbot's files can't hold"],
    ["--new-key", "put --no-reuse-key into CERTBOT_OPTIONS"],
  ])("are refused in %j", (CERTBOT_OPTIONS, part) => {
    expect(linesOf({ CERTBOT_OPTIONS })).toEqual([expect.stringContaining(part)]);
  });
});

describe("an IP address", () => {
  const SHORTLIVED = { CERTBOT_PROFILE: "shortlived" };

  test.each([
    ["8.8.8.8", "8.8.8.8", ["8.8.8.8"]],
    ["2606:4700::1111", "2606-4700--1111", ["2606:4700::1111"]],
    ["[2606:4700:0:0::1111],2606:4700::1111", "2606-4700--1111", ["2606:4700::1111"]],
    ["shop.test,8.8.8.8", "shop.test", ["shop.test", "8.8.8.8"]],
  ])("gives %s the certificate's name %s", (CERTBOT_DOMAIN, name, names) => {
    const { wanted } = configOf({ CERTBOT_DOMAIN, ...SHORTLIVED });
    expect(wanted.map((one) => [one.name, one.identifiers.map(({ value }) => value)])).toEqual([[name, names]]);
  });

  test("is added by --ip-address, which takes nothing else", () => {
    const CERTBOT_OPTIONS = "--ip-address 8.8.8.8,8.8.4.4 --preferred-profile shortlived";
    const [certificate] = configWith({ CERTBOT_OPTIONS }).wanted;
    expect(certificate?.identifiers.map(({ value }) => value)).toEqual(["a.test", "8.8.8.8", "8.8.4.4"]);
    expect(linesOf({ CERTBOT_OPTIONS: "--ip-address b.test" })).toEqual([
      'CERTBOT_OPTIONS --ip-address="b.test": is no IP address',
    ]);
  });

  test.each([
    ["--ip-address 10.0.0.1", 'CERTBOT_OPTIONS --ip-address="10.0.0.1"'],
    ["-d 10.0.0.1", 'CERTBOT_OPTIONS -d="10.0.0.1"'],
    ["--ip-address fd00:0::1", 'CERTBOT_OPTIONS --ip-address="fd00::1"'],
  ])("that no public CA certifies is blamed on where it was typed: %s", (CERTBOT_OPTIONS, place) => {
    expect(linesOf({ CERTBOT_OPTIONS })).toEqual([expect.stringContaining(`${place}: is an address that is not`)]);
    const both = linesOf({ CERTBOT_OPTIONS, CERTBOT_DOMAIN: "a.test,10.0.0.1" }).filter((line) =>
      line.includes('"10.0'),
    );
    expect(both).toEqual([expect.stringMatching(/^CERTBOT_DOMAIN=/)]);
  });

  test.each([
    { CERTBOT_SERVER: "letsencrypt" },
    { CERTBOT_SERVER: "letsencrypt-staging" },
    { CERTBOT_SERVER: "letsencrypt", CERTBOT_PROFILE: "tlsserver" },
  ])("needs the profile shortlived at Let's Encrypt: %j", (environment) => {
    expect(linesOf({ ...environment, CERTBOT_DOMAIN: "8.8.8.8;a.test,8.8.8.8" })).toEqual([
      expect.stringMatching(/^CERTBOT_DOMAIN="8\.8\.8\.8": .*; set CERTBOT_PROFILE=shortlived$/),
    ]);
  });

  test.each([
    { CERTBOT_SERVER: "zerossl", CERTBOT_FALLBACK_SERVER: "letsencrypt" },
    { CERTBOT_SERVER: "letsencrypt", CERTBOT_FALLBACK_SERVER: "zerossl" },
  ])(
    "needs that profile as a wish, which the other CA may not know, where only one is Let's Encrypt: %j",
    (servers) => {
      const environment = { ...servers, CERTBOT_DOMAIN: "8.8.8.8" };
      expect(linesOf(environment)).toEqual([
        expect.stringMatching(/; put --preferred-profile shortlived into CERTBOT_OPTIONS/),
      ]);
      expect(linesOf({ ...environment, CERTBOT_OPTIONS: "--preferred-profile shortlived" })).toEqual([]);
    },
  );

  test("is what another CA makes of it, private ones too where the CA is your own", () => {
    expect(linesOf({ CERTBOT_SERVER: "zerossl", CERTBOT_DOMAIN: "8.8.8.8" })).toEqual([]);
    for (const CERTBOT_DOMAIN of ["192.168.1.20", "fd00::1", "127.0.0.1", "::1"]) {
      expect(linesOf({ CERTBOT_SERVER: PRIVATE, CERTBOT_DOMAIN })).toEqual([]);
    }
    expect(configOf({ CERTBOT_SERVER: PRIVATE, CERTBOT_DOMAIN: "::1" }).wanted[0]?.name).toBe("0--1");
  });

  test.each(
    ["192.168.1.20", "10.1.2.3", "172.31.255.255", "100.64.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1"].concat([
      "255.255.255.255",
      "0.0.0.0",
      "203.0.113.7",
      "::1",
      "::",
      "fe80::1",
      "fd00::1",
      "2001:db8::1",
      "::ffff:8.8.8.8",
      "ff02::1",
    ]),
  )("is refused for public CAs where nobody reaches it: %s", (CERTBOT_DOMAIN) => {
    for (const CERTBOT_SERVER of ["letsencrypt", "letsencrypt-staging", "zerossl"]) {
      expect(linesOf({ CERTBOT_DOMAIN, CERTBOT_SERVER, ...SHORTLIVED })).toEqual([
        expect.stringContaining("is an address that is not reachable from the Internet"),
      ]);
    }
  });

  test("has one name for one address, which our list and nginx's step take for a name", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.ipV6(), { minLength: 1, maxLength: 20 }), (addresses) => {
        const { wanted } = configOf({ CERTBOT_SERVER: PRIVATE, CERTBOT_DOMAIN: addresses.join(",") });
        const identifiers = wanted[0]?.identifiers ?? [];
        const names = identifiers.map(
          ({ value }) => configOf({ CERTBOT_SERVER: PRIVATE, CERTBOT_DOMAIN: value }).wanted[0]?.name,
        );
        expect(new Set(names).size).toBe(identifiers.length);
        for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9-]*$/);
      }),
    );
  });
});

describe("the number of names", () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}.test`).join(",");

  test.each([
    [{ CERTBOT_PROFILE: "tlsserver" }, 25],
    [{ CERTBOT_OPTIONS: "--preferred-profile shortlived", CERTBOT_SERVER: "letsencrypt-staging" }, 25],
    [{ CERTBOT_PROFILE: "classic" }, 100],
    [{ CERTBOT_PROFILE: "tlsserver", CERTBOT_SERVER: PRIVATE }, 100],
  ])("with %j is %i at most", (environment, most) => {
    expect(linesOf({ ...environment, CERTBOT_DOMAIN: names(most) })).toEqual([]);
    expect(linesOf({ ...environment, CERTBOT_DOMAIN: names(most + 1) })).toEqual([
      expect.stringMatching(/start a further certificate with ;$/),
    ]);
  });
});
