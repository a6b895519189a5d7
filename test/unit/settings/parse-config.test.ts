import { describe, expect, test } from "vitest";
import { ConfigError, formatMistake, isStaging, MISSING_DOMAIN } from "../../../src/settings/index.ts";
import { configOf, mistakesOf } from "../../support/read-config.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { byWebroot } from "../../support/challenges.ts";

const STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";
const PEBBLE = "https://pebble:14000/dir";

function linesOf(environment: Record<string, string>): string[] {
  return mistakesOf(environment).map(formatMistake);
}

function errorOf(read: () => unknown): ConfigError {
  try {
    read();
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown;
    throw thrown;
  }
  throw new Error("no mistake was found");
}

describe("settings that can be used", () => {
  test("need only a domain", () => {
    expect(configOf({ CERTBOT_DOMAIN: "a.test" })).toEqual({
      wanted: [{ name: "a.test", identifiers: [{ type: "dns", value: "a.test" }] }],
      email: undefined,
      channels: {},
      directoryUrl: "https://acme-v02.api.letsencrypt.org/directory",
      fallbackDirectoryUrl: undefined,
      externalAccount: undefined,
      profile: undefined,
      preferredChain: undefined,
      reuseKey: undefined,
      verifyTls: true,
      caBundle: undefined,
      challenges: byWebroot(),
      keyType: undefined,
      schedule: undefined,
      docker: { kind: "socket", socketPath: "/var/run/docker.sock" },
      logLevel: "info",
      logFormat: "auto",
      options: { dryRun: false, forceRenewal: false, verbose: false, quiet: false },
      warnings: [],
      leftOut: [],
      mistakes: [],
      areOrdersInDoubt: false,
    });
  });

  test("need not even that, since the tree may hold lineages", () => {
    expect(configOf({}).wanted).toEqual([]);
    expect(formatMistake(MISSING_DOMAIN)).toMatch(/^CERTBOT_DOMAIN: is not set/);
  });

  test("are read from all their names", () => {
    const environment = {
      CERTBOT_EMAIL: "admin@shop.a.test",
      CERTBOT_SERVER: PEBBLE,
      CERTBOT_CA_BUNDLE: "/etc/ca.pem",
      CERTBOT_CHALLENGE: "http-01",
      CERTBOT_WEBROOT_PATH: "/srv//www/../web/",
      CERTBOT_KEY_TYPE: "rsa-4096",
      CERTBOT_SCHEDULE: "17 3 * * *",
      CERTBOT_LOG_LEVEL: "DEBUG",
      CERTBOT_LOG_FORMAT: "json",
    };
    const pem = issueForTest({ names: ["ca.test"] }).chainPem;
    expect(configOf(environment, { readFile: (path) => (path === "/etc/ca.pem" ? pem : "") })).toMatchObject({
      email: "admin@shop.a.test",
      directoryUrl: PEBBLE,
      caBundle: { path: "/etc/ca.pem", pem },
      challenges: byWebroot("/srv/web"),
      keyType: "rsa-4096",
      schedule: "17 3 * * *",
      logLevel: "debug",
      logFormat: "json",
    });
  });

  test("are frozen through and through", () => {
    const config = configOf({ CERTBOT_DOMAIN: "a.test" });
    const parts = [
      config,
      config.wanted,
      config.wanted[0],
      config.wanted[0]?.identifiers[0],
      config.docker,
      config.options,
    ];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
  });
});

describe("mistakes", () => {
  const environment = {
    CERTBOT_DOMAIN: "your_domain.com",
    CERTBOT_EMAIL: "your_email@example.com",
    CERTBOT_KEY_TYPE: "dsa",
    CERTBOT_OPTIONS: "--dry-rum --email",
    CERTBOT_NOTIFY: "ntfy://x",
    CERTBOT_SCHEDUL: "x",
  };

  test("are told all at once, one a line, with name, value and what is allowed", () => {
    const error = errorOf(() => configOf(environment));
    expect(error.code).toBe("SETTINGS_INVALID");
    expect(error.remedy).toContain("docker compose --profile certbot up -d --force-recreate certbot`");
    const lines = error.message.split("\n");
    expect(lines[0]).toBe("The settings have 7 mistakes:");
    expect(lines).toHaveLength(8);
    expect(lines).toContain(
      'CERTBOT_KEY_TYPE="dsa": is no key type; allowed: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096',
    );
    expect(error.mistakes.map(({ setting }) => setting)).toEqual([
      "CERTBOT_NOTIFY",
      "CERTBOT_SCHEDUL",
      "CERTBOT_OPTIONS --dry-rum",
      "CERTBOT_OPTIONS --email",
      "CERTBOT_DOMAIN",
      "CERTBOT_EMAIL",
      "CERTBOT_KEY_TYPE",
    ]);
  });

  test.each([
    ["CERTBOT_EMAIL", "me", "is no e-mail address"],
    ["CERTBOT_EMAIL", "a@b.test,c@d.test", "is no e-mail address"],
    ["CERTBOT_EMAIL", "mailto:a@b.test", "is no e-mail address"],
    ["CERTBOT_EMAIL", "me@localhost", "has no domain name after its @"],
    ["CERTBOT_EMAIL", "mé@a.test", "has letters that CAs don't take"],
    ["CERTBOT_EMAIL", "your_email@example.com", "CERTBOT_EMAIL=admin@your-site.org"],
    ["CERTBOT_SERVER", "letsencypt", "is no URL and no CA known by name"],
    ["CERTBOT_SERVER", "http://ca.test/dir", "https://"],
    ["CERTBOT_CA_BUNDLE", "ca.pem", "is no absolute path"],
    ["CERTBOT_CHALLENGE", "dns-01:cloudflare", "is not in this version yet; allowed: http-01"],
    ["CERTBOT_CHALLENGE", "standalone", "is not in this version yet"],
    ["CERTBOT_CHALLENGE", "http", "is no challenge; allowed: http-01"],
    ["CERTBOT_WEBROOT_PATH", "www", "is no absolute path"],
    ["CERTBOT_WEBROOT_PATH", "/a,b", "certbot's files can't hold"],
    ["CERTBOT_SCHEDULE", "often", "is no cron expression: expected 5 fields but got 1"],
    ["CERTBOT_LOG_LEVEL", "loud", "error, warn, info, debug"],
    ["CERTBOT_LOG_FORMAT", "xml", "json, pretty, auto"],
    ["DOCKER_HOST", "ssh://host", "unix:///path/of/docker.sock or tcp://host:port"],
    ["DOCKER_HOST", "/var/run/docker.sock", "unix:///path"],
    ["DOCKER_HOST", "tcp://host:1/path", "has more than a host and a port"],
    ["DOCKER_CERT_PATH", "certs", "is no absolute path"],
  ])("in %s=%s are said in one clear line", (name, value, part) => {
    const lines = linesOf({ [name]: value });
    expect(lines).toEqual([expect.stringContaining(part)]);
    expect(lines[0]).toMatch(new RegExp(`^${name}=`));
  });

  test("don't show a password in a URL", () => {
    const lines = linesOf({ CERTBOT_SERVER: "https://me:hunter2@ca.test/dir", DOCKER_HOST: "tcp://me:hunter2@host:1" });
    expect(lines).toHaveLength(2);
    expect(lines.join()).not.toContain("hunter2");
  });

  test("don't show the whole of a long value", () => {
    expect(linesOf({ CERTBOT_KEY_TYPE: "x".repeat(5000) })[0]?.length).toBeLessThan(300);
  });
});

describe("CERTBOT_OPTIONS", () => {
  function withOptions(CERTBOT_OPTIONS: string, others: Record<string, string> = {}) {
    return configOf({ CERTBOT_DOMAIN: "a.test", CERTBOT_OPTIONS, ...others });
  }

  test("beats the other settings", () => {
    const config = withOptions(`--email o@a.test --server=${PEBBLE} -w /srv --key-type rsa`, {
      CERTBOT_EMAIL: "e@a.test",
      CERTBOT_SERVER: "zerossl",
      CERTBOT_WEBROOT_PATH: "/web",
      CERTBOT_KEY_TYPE: "ecdsa-p384",
    });
    expect(config).toMatchObject({
      email: "o@a.test",
      directoryUrl: PEBBLE,
      challenges: byWebroot("/srv"),
      keyType: "rsa-2048",
    });
  });

  test("is never evaluated, and a quote left open is a mistake that says where", () => {
    expect(linesOf({ CERTBOT_OPTIONS: "--email $(id)@a.test" })).toEqual([expect.stringContaining('"$(id)@a.test"')]);
    expect(linesOf({ CERTBOT_OPTIONS: "--cert-name 'a" })).toEqual([
      "CERTBOT_OPTIONS: opens a ' at character 13 and never closes it",
    ]);
  });

  test.each([
    ["", "a.test;b.test", ["a.test", "b.test"]],
    ["-d www.a.test,x.test -d a.test", "a.test;b.test", ["a.test,www.a.test,x.test", "b.test"]],
    ["-d c.test -d www.c.test", "", ["c.test,www.c.test"]],
  ])("adds the names of %j to the first certificate of %j", (CERTBOT_OPTIONS, CERTBOT_DOMAIN, wanted) => {
    const config = configOf({ CERTBOT_OPTIONS, CERTBOT_DOMAIN });
    expect(config.wanted.map(({ identifiers }) => identifiers.map(({ value }) => value).join())).toEqual(wanted);
  });

  test("names of -d are checked like the others, and blamed where they stand", () => {
    expect(linesOf({ CERTBOT_OPTIONS: "-d *.a.test" })).toEqual([
      expect.stringMatching(/^CERTBOT_OPTIONS -d="\*\.a\.test": /),
    ]);
  });

  test("gives the only certificate another name", () => {
    expect(withOptions("--cert-name shop").wanted[0]?.name).toBe("shop");
    expect(linesOf({ CERTBOT_OPTIONS: "--cert-name shop", CERTBOT_DOMAIN: "a.test;b.test" })).toEqual([
      expect.stringContaining("CERTBOT_DOMAIN asks for 2"),
    ]);
    for (const name of ["../up", "a/b", ".", "Shop", "a b", "n".repeat(201)]) {
      expect(linesOf({ CERTBOT_OPTIONS: `--cert-name '${name}'`, CERTBOT_DOMAIN: "a.test" })).toHaveLength(1);
    }
  });

  test.each([
    ["--key-type rsa", "ecdsa-p256", "rsa-2048"],
    ["--key-type rsa", "rsa-4096", "rsa-4096"],
    ["--key-type rsa --rsa-key-size 3072", "ecdsa-p256", "rsa-3072"],
    ["--rsa-key-size 4096", "rsa-2048", "rsa-4096"],
    ["--key-type ecdsa", "rsa-2048", "ecdsa-p256"],
    ["--elliptic-curve secp384r1", "ecdsa-p256", "ecdsa-p384"],
    ["--key-type ecdsa --elliptic-curve secp256r1", "ecdsa-p384", "ecdsa-p256"],
  ])("joins %j with the key type %s to %s", (options, CERTBOT_KEY_TYPE, keyType) => {
    expect(withOptions(options, { CERTBOT_KEY_TYPE }).keyType).toBe(keyType);
  });

  test.each([
    ["--rsa-key-size 4096", "acts only with --key-type rsa"],
    ["--key-type rsa --elliptic-curve secp256r1", "acts only with --key-type ecdsa"],
    ["--key-type dsa", "ecdsa, rsa"],
    ["--key-type rsa --rsa-key-size 1024", "2048, 3072, 4096"],
    ["--elliptic-curve secp521r1", "secp256r1, secp384r1"],
  ])("refuses %j", (CERTBOT_OPTIONS, part) => {
    expect(linesOf({ CERTBOT_OPTIONS })).toEqual([expect.stringContaining(part)]);
  });

  test("knows what goes with --staging", () => {
    expect(withOptions("--staging").directoryUrl).toBe(STAGING);
    expect(withOptions("--test-cert", { CERTBOT_SERVER: "letsencrypt-staging" }).directoryUrl).toBe(STAGING);
    expect(isStaging(withOptions("--staging --server letsencrypt-staging").directoryUrl)).toBe(true);
    expect(linesOf({ CERTBOT_OPTIONS: "--staging --server letsencrypt" })).toEqual([
      "CERTBOT_OPTIONS --staging: contradicts --server; take one of the two out",
    ]);
    expect(linesOf({ CERTBOT_OPTIONS: "--staging", CERTBOT_SERVER: PEBBLE })).toEqual([
      expect.stringContaining(`doesn't go with ${PEBBLE}`),
    ]);
  });

  test("turns the check of the CA's HTTPS off with a warning, and never for Let's Encrypt", () => {
    const config = withOptions("--no-verify-ssl", { CERTBOT_SERVER: PEBBLE });
    expect(config.verifyTls).toBe(false);
    expect(config.warnings).toEqual([
      expect.objectContaining({ remedy: expect.stringContaining("CERTBOT_CA_BUNDLE") }),
    ]);
    for (const CERTBOT_SERVER of ["", "letsencrypt-staging"]) {
      expect(linesOf({ CERTBOT_OPTIONS: "--no-verify-ssl", CERTBOT_SERVER })).toEqual([
        expect.stringContaining("is refused for Let's Encrypt"),
      ]);
    }
  });

  test("blames a wrong server once, not for what follows from it", () => {
    expect(linesOf({ CERTBOT_OPTIONS: "--no-verify-ssl --staging", CERTBOT_SERVER: "http://ca.test" })).toHaveLength(1);
  });

  test("keeps --dry-run and --force-renewal, and warns that they stay", () => {
    const config = withOptions("--dry-run --force-renewal --eff-email");
    expect(config.options).toMatchObject({ dryRun: true, forceRenewal: true });
    expect(config.warnings.map(({ setting }) => setting)).toEqual([
      "CERTBOT_OPTIONS --dry-run",
      "CERTBOT_OPTIONS --force-renewal",
      "CERTBOT_OPTIONS --eff-email",
    ]);
  });

  test.each([{ CERTBOT_SERVER: "google" }, { CERTBOT_SERVER: "zerossl", CERTBOT_FALLBACK_SERVER: "google" }])(
    "warns that Google registers nobody without an address: $CERTBOT_SERVER",
    (settings) => {
      expect(withOptions("", settings).warnings.map(({ setting }) => setting)).toEqual(["CERTBOT_EMAIL"]);
      expect(withOptions("--email me@your-site.org", settings).warnings).toEqual([]);
    },
  );

  test("sets how much is logged", () => {
    expect(withOptions("-v", { CERTBOT_LOG_LEVEL: "error" }).logLevel).toBe("debug");
    expect(withOptions("-q").logLevel).toBe("warn");
    expect(withOptions("-q", { CERTBOT_LOG_LEVEL: "error" }).logLevel).toBe("error");
  });

  test("takes what certbot's users have there from habit", () => {
    expect(withOptions("--webroot -n --agree-tos --no-eff-email --keep-until-expiring").warnings).toEqual([]);
  });
});

describe("Docker Engine", () => {
  test.each([
    [
      { DOCKER_HOST: "unix:///run/user/1000/docker.sock" },
      { kind: "socket", socketPath: "/run/user/1000/docker.sock" },
    ],
    [{ DOCKER_HOST: "unix://" }, { kind: "socket", socketPath: "/var/run/docker.sock" }],
    [{ DOCKER_HOST: "proxy:2375" }, { kind: "tcp", host: "proxy", port: 2375 }],
    [{ DOCKER_HOST: "tcp://proxy:2375" }, { kind: "tcp", host: "proxy", port: 2375 }],
    [{ DOCKER_HOST: "tcp://[::1]" }, { kind: "tcp", host: "::1", port: 2375 }],
    [
      { DOCKER_HOST: "tcp://host", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/certs/" },
      { kind: "tcp", host: "host", port: 2376, certPath: "/certs" },
    ],
    [{ DOCKER_TLS_VERIFY: "1" }, { kind: "socket", socketPath: "/var/run/docker.sock" }],
    [
      { DOCKER_HOST: "tcp://host", DOCKER_CERT_PATH: "/certs" },
      { kind: "tcp", host: "host", port: 2375 },
    ],
  ])("is found by %j as by the docker CLI", (environment, docker) => {
    expect(configOf(environment).docker).toEqual(docker);
  });

  test("needs the certificates for TLS", () => {
    expect(linesOf({ DOCKER_HOST: "tcp://host", DOCKER_TLS_VERIFY: "1" })).toEqual([
      expect.stringContaining("needs DOCKER_CERT_PATH"),
    ]);
  });

  test("is not spoken to in a way that DOCKER_TLS_VERIFY=0 doesn't mean", () => {
    expect(linesOf({ DOCKER_TLS_VERIFY: "0" })).toEqual([expect.stringContaining("leave it empty to turn TLS off")]);
  });
});
