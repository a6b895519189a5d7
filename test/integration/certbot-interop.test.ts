import { randomBytes, X509Certificate } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createCertificateAuthority } from "../../src/acme/index.ts";
import { challengeConfs, CHALLENGES } from "../../src/challenge/index.ts";
import type { Account } from "../../src/reconcile/index.ts";
import { createAccountStore, createLineageStore } from "../../src/store/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { collectLog } from "../support/collected-log.ts";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { isServable, newVersion, SETTINGS } from "../support/lineage-tree.ts";
import { networkOf } from "../support/network.ts";
import { startPebble, type Pebble } from "../support/pebble.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { testDnsProvider } from "../support/test-dns-provider.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";
import { serveWebroot, type WebrootServer } from "../support/webroot-server.ts";
import { byWebroot } from "../support/challenges.ts";

const NAME = "shop.test";
const NAMES = [NAME, "www.shop.test"];
const DAY_S = 24 * 3600;

let pebble: Pebble;
let web: WebrootServer;
let webroot: string;
let tree: TestStore;

beforeAll(async () => {
  webroot = await mkdtemp(join(tmpdir(), "webroot-"));
  await chmod(webroot, 0o755);
  web = await serveWebroot(webroot);
  const profiles = { plain: 90 * DAY_S, short: 6 * DAY_S };
  pebble = await startPebble({ httpPort: web.port, nonceRejectPercent: 0, profiles, alternateRoots: 1 });
});

afterAll(async () => {
  await pebble.stop();
  await web.close();
  await rm(webroot, { recursive: true, force: true });
});

beforeEach(async () => {
  tree = await openTestStore();
});

/** Runs certbot on the tree, at the same path as here: its confs hold absolute paths. */
async function certbot(root: string, ...args: readonly string[]): Promise<string> {
  const mounts = [root, webroot].flatMap((path) => ["-v", `${path}:${path}`]);
  const trust = ["-v", `${pebble.caFile}:/ca.pem:ro`, "-e", "REQUESTS_CA_BUNDLE=/ca.pem"];
  const name = `test-certbot-${randomBytes(4).toString("hex")}`;
  onTestFinished(async () => void (await docker("rm", "-f", name).catch(() => undefined)));
  const place = ["run", "--rm", "--name", name, "--network", "host", ...mounts, ...trust, "--entrypoint", "certbot"];
  const folders = ["--config-dir", root, "--work-dir", "/tmp/work", "--logs-dir", "/tmp/logs"];
  return docker(...place, IMAGES.certbot, ...args, ...folders, "--non-interactive");
}

function settings() {
  return { ...SETTINGS, directoryUrl: pebble.directoryUrl, challenges: byWebroot(webroot) };
}

async function issueWithCertbot(root: string, ...wishes: readonly string[]): Promise<void> {
  const names = NAMES.flatMap((name) => ["-d", name]);
  const terms = ["--server", pebble.directoryUrl, "--agree-tos", "-m", "me@shop.test", "--no-eff-email"];
  await certbot(root, "certonly", "--webroot", "-w", webroot, ...names, ...terms, ...wishes);
}

// Of the version on disk, in days.
async function lifetimeOf(store: TestStore): Promise<number> {
  const [listed] = await store.store.list();
  const { notBefore, notAfter } = listed?.current?.leaf.validity ?? { notBefore: new Date(0), notAfter: new Date(0) };
  return Math.round((notAfter.getTime() - notBefore.getTime()) / DAY_S / 1000);
}

// The common names that issue the last certificate of the chain on disk: the root that stands behind it.
async function rootBehind(root: string): Promise<string> {
  const pem = await readFile(join(root, "live", NAME, "fullchain.pem"), "utf8");
  const last = pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g)?.at(-1) ?? "";
  return /CN=(.*)/.exec(new X509Certificate(last).issuer)?.[1] ?? "";
}

// Without a terminal certbot sleeps some minutes before it renews.
async function renewWithCertbot(root: string): Promise<void> {
  await certbot(root, "renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", NAME);
}

/** An account that certbot registered, as our store reads it. */
async function registerWithCertbot(): Promise<Account> {
  const root = await temporaryFolder();
  const terms = ["--server", pebble.directoryUrl, "--agree-tos", "-m", "me@shop.test", "--no-eff-email"];
  await certbot(root, "register", ...terms);
  const account = await createAccountStore({ root }).find(pebble.directoryUrl);
  if (!account) throw new Error("no account is found where certbot registered one");
  return account;
}

describe("a tree of ours", () => {
  beforeEach(async () => {
    const account = await registerWithCertbot();
    await createAccountStore({ root: tree.root }).save(pebble.directoryUrl, account, { createdAt: new Date() });
    for (let count = 1; count <= 2; count += 1) {
      const version = newVersion(NAME, { names: NAMES, settings: settings() });
      await tree.store.install({ ...version, issued: { ...version.issued, accountId: account.id } }, new Date());
    }
  });

  test("is listed, renewed and deleted by certbot, and counts on after each", async () => {
    const listing = await certbot(tree.root, "certificates");
    expect(listing).toContain(`Certificate Name: ${NAME}`);
    expect(listing).toContain(NAMES.join(" "));
    expect(listing).not.toContain("were invalid");

    const conf = await readFile(tree.at("renewal", `${NAME}.conf`), "utf8");
    await renewWithCertbot(tree.root);
    expect(await tree.currentVersion(NAME)).toBe(3);
    expect(await isServable(tree.root, NAME)).toBe(true);
    expect(await tree.store.recover()).toEqual([]);
    const [listed] = await tree.store.list();
    expect(listed?.settings).toMatchObject(settings());
    const ours = (text: string) =>
      text.split("\n").filter((line) => /^(account|server|webroot_path|key_type) = /.test(line));
    expect(ours(await readFile(tree.at("renewal", `${NAME}.conf`), "utf8")).sort()).toEqual(ours(conf).sort());

    const next = await tree.store.install(newVersion(NAME, { names: NAMES, settings: settings() }), new Date());
    expect(next.version).toBe(4);
    expect(await certbot(tree.root, "certificates")).not.toContain("were invalid");

    await certbot(tree.root, "delete", "--cert-name", NAME);
    expect(await tree.store.list()).toEqual([]);
    expect(await tree.store.recover()).toHaveLength(1);
    expect((await readdir(tree.at("live"))).filter((entry) => entry.includes(NAME))).toEqual([]);
    await issueWithCertbot(tree.root);
    expect(await tree.currentVersion(NAME)).toBe(1);
  });
});

test("a certificate for addresses is one to certbot, too", async () => {
  // The first one becomes the common name, which certbot takes for a domain; no CA puts an address there.
  const names = [NAME, "2606:4700::1111", "8.8.8.8"];
  await tree.store.install(newVersion("2606-4700--1111", { names, settings: settings() }), new Date());
  const listing = await certbot(tree.root, "certificates");
  expect(listing).toContain("Certificate Name: 2606-4700--1111");
  for (const name of names) expect(listing).toContain(name);
  expect(listing).not.toContain("were invalid");
});

test("a lineage that we prove by a DNS provider is one to certbot, which may go on with it in its own way", async () => {
  const provider = await testDnsProvider();
  onTestFinished(() => provider.stop());
  const dns = [{ names: "all", kind: provider.kind.name, type: "dns-01", settings: "token" }] as const;
  const challenges = challengeConfs([...CHALLENGES, provider.kind], dns);
  const store = createLineageStore({ root: tree.root, log: collectLog(), challenges });
  const version = newVersion(NAME, { names: NAMES, settings: { ...settings(), challenges: dns } });
  await store.install(version, new Date());
  expect((await store.list())[0]?.settings).toMatchObject({ challenges: dns });
  expect(await certbot(tree.root, "certificates")).not.toContain("were invalid");
  await issueWithCertbot(tree.root, "--cert-name", NAME, "--force-renewal");
  expect((await store.list())[0]).toMatchObject({ settings: settings(), current: { version: 2 } });
});

describe("a tree of certbot's", () => {
  beforeEach(() => issueWithCertbot(tree.root));

  test("is adopted, account and settings too, and certbot takes over again", async () => {
    const account = await createAccountStore({ root: tree.root }).find(pebble.directoryUrl);
    const [listed] = await tree.store.list();
    expect(listed).toMatchObject({ name: NAME, current: { version: 1 } });
    expect(listed?.problem).toBeUndefined();
    expect(listed?.settings).toEqual({ ...settings(), accountId: account?.id });
    expect(listed?.current?.leaf.identifiers.map(({ value }) => value).sort()).toEqual(NAMES);

    expect(await tree.store.recover()).toEqual([]);
    const version = newVersion(NAME, { names: NAMES, settings: settings() });
    const issued = { ...version.issued, accountId: account?.id ?? "" };
    const conf = await readFile(tree.at("renewal", `${NAME}.conf`), "utf8");
    expect((await tree.store.install({ ...version, issued }, new Date())).version).toBe(2);
    expect(await readFile(tree.at("renewal", `${NAME}.conf`), "utf8")).toBe(conf);
    expect(tree.lines.map(({ event }) => event)).toEqual(["lineage.converted"]);

    const listing = await certbot(tree.root, "certificates");
    expect(listing).toContain(`Certificate Name: ${NAME}`);
    expect(listing).not.toContain("were invalid");
    await renewWithCertbot(tree.root);
    expect(await tree.currentVersion(NAME)).toBe(3);
    expect(await isServable(tree.root, NAME)).toBe(true);
  });

  test("has its profile, chain and key habit kept by us, line for line", async () => {
    const chain = /CN=(.*)/.exec(new X509Certificate(await pebble.issuingRootPem(1)).subject)?.[1] ?? "";
    const options = ["--preferred-profile", "short", "--preferred-chain", chain, "--reuse-key", "--force-renewal"];
    await issueWithCertbot(tree.root, ...options);
    const [listed] = await tree.store.list();
    const wishes = { profile: { name: "short", isRequired: false }, preferredChain: chain, reuseKey: true };
    expect(listed?.settings).toEqual({ ...settings(), ...wishes, accountId: listed?.settings?.accountId });
    expect(await rootBehind(tree.root)).toBe(chain);

    // certbot has just begun to keep the key: version 2 is a link to the key of version 1.
    const key = await tree.store.privateKey(NAME, 2);
    expect(key).toBe(await tree.store.privateKey(NAME, 1));
    const kept = newVersion(NAME, { names: NAMES, settings: { ...settings(), ...wishes } });
    const issued = { ...kept.issued, accountId: listed?.settings?.accountId ?? "" };
    const conf = await readFile(tree.at("renewal", `${NAME}.conf`), "utf8");
    await tree.store.install({ ...kept, issued }, new Date());
    expect(await readFile(tree.at("renewal", `${NAME}.conf`), "utf8")).toBe(conf);
  });

  test("takes on the profile, chain and key habit that we write, and drops those that we take away", async () => {
    const [listed] = await tree.store.list();
    const chain = /CN=(.*)/.exec(new X509Certificate(await pebble.issuingRootPem(1)).subject)?.[1] ?? "";
    const wishes = { profile: { name: "short", isRequired: true }, preferredChain: chain, reuseKey: true };
    const install = async (changed: object) => {
      const version = newVersion(NAME, { names: NAMES, settings: { ...settings(), ...changed } });
      const issued = { ...version.issued, accountId: listed?.settings?.accountId ?? "" };
      return (await tree.store.install({ ...version, issued }, new Date())).version;
    };
    const ours = await install(wishes);
    await renewWithCertbot(tree.root);
    expect(await lifetimeOf(tree)).toBe(6);
    expect(await rootBehind(tree.root)).toBe(chain);
    expect(await tree.store.privateKey(NAME, ours + 1)).toBe(await tree.store.privateKey(NAME, ours));
    expect((await tree.store.list())[0]?.settings).toMatchObject({ ...settings(), ...wishes });

    const plain = await install({ profile: { name: "plain", isRequired: true } });
    await renewWithCertbot(tree.root);
    expect(await lifetimeOf(tree)).toBe(90);
    expect(await rootBehind(tree.root)).not.toBe(chain);
    expect(await tree.store.privateKey(NAME, plain + 1)).not.toBe(await tree.store.privateKey(NAME, plain));
  });

  test("is renewed by certbot with the account's new key", async () => {
    const authority = createCertificateAuthority({
      accounts: createAccountStore({ root: tree.root }),
      solverFor: () => {
        throw new Error("no proof is wanted");
      },
      clock: systemClock,
      ...networkOf(pebble.caPem),
    });
    const choice = { directoryUrl: pebble.directoryUrl };
    const { previousId, account } = await authority.changeAccountKey(
      choice,
      collectLog(),
      new AbortController().signal,
    );
    await renewWithCertbot(tree.root);
    expect(await tree.currentVersion(NAME)).toBe(2);
    const conf = await readFile(tree.at("renewal", `${NAME}.conf`), "utf8");
    expect(conf).toContain(`account = ${account.id}\n`);
    expect(conf).not.toContain(previousId);
    expect(await certbot(tree.root, "show_account", "--server", pebble.directoryUrl)).toContain(account.url);
  });

  test("has an account that certbot shows after we put another in its place", async () => {
    const accounts = createAccountStore({ root: tree.root });
    const before = await accounts.find(pebble.directoryUrl);
    await accounts.setAside(pebble.directoryUrl, before?.id ?? "");
    const account = await registerWithCertbot();
    await accounts.save(pebble.directoryUrl, account, { createdAt: new Date(), email: "me@shop.test" });
    const shown = await certbot(tree.root, "show_account", "--server", pebble.directoryUrl);
    expect(shown).toContain(account.url);
    expect(await readdir(join(tree.root, "accounts", "set-aside"))).toHaveLength(1);
  });
});
