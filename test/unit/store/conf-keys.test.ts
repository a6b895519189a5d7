import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { challengeConfs, CHALLENGES, createSolvers } from "../../../src/challenge/index.ts";
import { CONF_KEYS, PARAMS } from "../../../src/store/conf-keys.ts";
import { RenewalConf } from "../../../src/store/renewal-conf.ts";
import { readSettings, writeSettings } from "../../../src/store/renewal-settings.ts";
import { readInterval } from "../../../src/store/time-interval.ts";
import { treePaths } from "../../../src/store/tree-paths.ts";
import { byWebroot, CONFS } from "../../support/challenges.ts";
import { certbotConf, SETTINGS } from "../../support/lineage-tree.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ROOT = "/etc/letsencrypt";
const DAY_MS = 24 * 3600_000;

/** certbot's own conf with another line in a section, in the place of one with the same key. */
function withLine(section: string, key: string, value: string): RenewalConf {
  const conf = new RenewalConf(certbotConf(ROOT, "a.test"));
  conf.addSection(section);
  conf.set(section, key, value);
  return conf;
}

const read = (conf: RenewalConf) => readSettings(conf, CONFS);

const namedIn = (conf: RenewalConf) => read(conf).unsupported?.map(({ option }) => option);

// What certbot 5.5 takes from a conf, with a value that asks for something: of `storage.py` at the top, of `renewal.py` below.
const TOP = { renew_before_expiry: "30 days", deploy_before_expiry: "9 days" };
const BELOW = {
  account: "f".repeat(32),
  allow_subset_of_names: "True",
  authenticator: "standalone",
  autorenew: "False",
  elliptic_curve: "secp384r1",
  http01_address: "192.0.2.1",
  http01_port: "8080",
  installer: "nginx",
  key_type: "rsa",
  must_staple: "True",
  post_hook: "reload",
  pre_hook: "stop",
  pref_challs: "dns-01",
  preferred_chain: "ISRG Root X2",
  preferred_profile: "shortlived",
  renew_hook: "reload",
  required_profile: "tlsserver",
  reuse_key: "True",
  rsa_key_size: "8192",
  server: "https://acme-staging-v02.api.letsencrypt.org/directory",
  user_agent: "mine",
};
const ALL = [
  ...Object.entries(TOP).map(([key, value]) => ["", key, value] as const),
  ...Object.entries(BELOW).map(([key, value]) => [PARAMS, key, value] as const),
];

describe("of certbot's conf", () => {
  test.each(ALL)("each key is acted on, or named: [%s] %s = %s", (section, key, value) => {
    const conf = withLine(section, key, value);
    if (key === "rsa_key_size") conf.set(PARAMS, "key_type", "rsa");
    const { unsupported, ...settings } = read(conf);
    const { unsupported: none, ...before } = read(new RenewalConf(certbotConf(ROOT, "a.test")));
    expect(none).toBeUndefined();
    const isNamed = unsupported?.some(({ option }) => option === `${key} = ${value}`) ?? false;
    expect([isNamed, JSON.stringify(settings) !== JSON.stringify(before)]).toContain(true);
  });

  test("no key is in the table that no test knows", () => {
    const placed = ["added_names", "version", "archive_dir", "cert", "chain", "fullchain", "privkey", "webroot_path"];
    const without = [...placed, "cert_sidecar_challenge", "config_dir", "logs_dir", "work_dir", "deploy_hook"];
    const known = Object.values(CONF_KEYS).flatMap((keys) => Object.keys(keys));
    expect(known.sort()).toEqual(
      [...new Set([...Object.keys(TOP), ...Object.keys(BELOW), ...without]), "renew_before_expiry"].sort(),
    );
  });

  test("what nobody knows is named, whichever section it is in", () => {
    const conf = withLine(PARAMS, "autorenw", "False");
    conf.set("", "foo", ["1", "2"]);
    conf.addSection("mine");
    conf.addSection("acme_renewal_info");
    conf.set("acme_renewal_info", "ari_retry_after", "2026-01-01T00:00:00");
    expect(namedIn(conf)).toEqual(["foo = 1, 2", "autorenw = False", "[mine]"]);
    expect(namedIn(withLine(PARAMS, "renew_before_expiry", "30 days"))).toEqual(["renew_before_expiry = 30 days"]);
  });

  test.each([
    ["elliptic_curve", "secp521r1"],
    ["webroot_path", "/nowhere/at/all"],
  ])("a value that can't be had is named: %s = %s", (key, value) => {
    expect(namedIn(withLine(PARAMS, key, value))).toEqual([`${key} = ${value}`]);
  });

  test.each([
    ["http01_port", "80"],
    ["pref_challs", "http-01"],
    ["installer", "None"],
    ["must_staple", "False"],
    ["server", "https://acme-v01.api.letsencrypt.org/directory"],
  ])("what is done anyway is not named: %s = %s", (key, value) => {
    expect(namedIn(withLine(PARAMS, key, value))).toBeUndefined();
  });

  test("an API that has ended is the one that took its place", () => {
    const { directoryUrl } = read(withLine(PARAMS, "server", "https://acme-v01.api.letsencrypt.org/directory"));
    expect(directoryUrl).toBe("https://acme-v02.api.letsencrypt.org/directory");
  });

  test("what an authenticator that isn't ours has been set to is not named beside it", () => {
    const conf = withLine(PARAMS, "authenticator", "dns-cloudflare");
    conf.set(PARAMS, "dns_cloudflare_credentials", "/root/cf.ini");
    expect(namedIn(conf)).toEqual(["authenticator = dns-cloudflare"]);
  });
});

describe("renew_before_expiry", () => {
  test.each([
    ["30 days", 30],
    ["30", 30],
    ["30days", 30],
    ["6 weeks, 1 day", 43],
    ["2 months and 12 hours", 60.5],
    ["1 year", 365],
  ])("is read as certbot reads it: %s", (text, days) => {
    expect(read(withLine("", "renew_before_expiry", text)).renewBeforeMs).toBe(days * DAY_MS);
  });

  test.each(["soon", "30 moons", "-3 days", "days", "0", "30 days ago"])(
    "that is no length of time is named: %s",
    (text) => {
      expect(namedIn(withLine("", "renew_before_expiry", text))).toEqual([`renew_before_expiry = ${text}`]);
    },
  );

  test("is no book", () => {
    expect(readInterval("1 day ".repeat(1_000_000))).toBeUndefined();
  });
});

describe("webroots of single names", () => {
  test("are each name's own where they are mounted, else the settings' one, and that is named", async () => {
    const root = await temporaryFolder();
    const at = (name: string) => join(root, name);
    for (const name of ["all", "b", "chosen"]) await mkdir(at(name));
    const conf = withLine(PARAMS, "webroot_path", at("all"));
    const map = { "a.test": at("all"), "b.test": at("b"), "c.test": at("gone") };
    for (const [name, path] of Object.entries(map)) conf.set(`${PARAMS}/webroot_map`, name, path);
    const confs = challengeConfs(CHALLENGES, byWebroot(at("chosen")));
    const { challenges, unsupported } = readSettings(conf, confs);
    const seen: unknown[] = [];
    const solvers = { with: (settings: unknown) => (seen.push(settings), {} as never) };
    const solverFor = createSolvers([{ ...CHALLENGES[0], solvers: () => solvers }], {} as never);
    for (const name of [...Object.keys(map), "d.test"]) solverFor(challenges, parseIdentifier(name));
    expect(seen).toEqual([at("all"), at("b"), at("chosen"), at("all")]);
    expect(unsupported).toEqual([
      {
        option: `c.test = ${at("gone")}`,
        because: `no folder of that path can be written here: tokens go to ${at("chosen")}`,
      },
    ]);
    // A renewal with them leaves the conf as it is.
    const before = conf.toString();
    const identifiers = Object.keys(map).map(parseIdentifier);
    const settings = { ...SETTINGS, challenges };
    writeSettings(
      conf,
      { paths: treePaths(ROOT), challenges: confs },
      { lineage: "a.test", identifiers, settings, addedNames: [] },
    );
    expect(conf.toString()).toBe(before);
  });

  test("stay where the lineage's own is written anew", async () => {
    const root = await temporaryFolder();
    const own = byWebroot(root)[0];
    const challenges = [...(own ? [{ ...own, names: ["b.test"] }] : []), ...byWebroot("/var/www/html")];
    const conf = withLine(PARAMS, "webroot_path", "/nowhere");
    const identifiers = ["a.test", "b.test"].map(parseIdentifier);
    const about = { lineage: "a.test", identifiers, settings: { ...SETTINGS, challenges }, addedNames: [] };
    writeSettings(conf, { paths: treePaths(ROOT), challenges: CONFS }, about);
    expect(conf.toString()).toContain(`[[webroot_map]]\na.test = /var/www/html\nb.test = ${root}\n`);
  });

  test("are certbot's last path where its map hasn't the name", async () => {
    const root = await temporaryFolder();
    const conf = new RenewalConf(certbotConf(ROOT, "a.test"));
    conf.set(PARAMS, "webroot_path", ["/nowhere", root]);
    expect(read(conf).challenges.at(-1)?.settings).toBe(root);
  });
});
