import { describe, expect, onTestFinished, test } from "vitest";
import { challengeConfs, CHALLENGES, createSolvers } from "../../../src/challenge/index.ts";
import type { ChallengeKinds } from "../../../src/ports/index.ts";
import { digestSettings, formatMistake, parseConfig, Secret } from "../../../src/settings/index.ts";
import { createLineageStore } from "../../../src/store/index.ts";
import { byWebroot } from "../../support/challenges.ts";
import { collectLog } from "../../support/collected-log.ts";
import { newVersion, SETTINGS } from "../../support/lineage-tree.ts";
import { folderInMemory } from "../../support/temporary-folder.ts";
import { testDnsProvider } from "../../support/test-dns-provider.ts";

async function withProvider() {
  const provider = await testDnsProvider();
  onTestFinished(() => provider.stop());
  const kinds: ChallengeKinds = [CHALLENGES[0], provider.kind];
  const read = (environment: Readonly<Record<string, string>>) =>
    parseConfig({ environment, isCronExpression: () => true }, { challenges: kinds, channels: [] });
  const mistakes = (environment: Readonly<Record<string, string>>) => read(environment).mistakes.map(formatMistake);
  return { ...provider, kinds, read, mistakes };
}

const CHOSEN = { CERTBOT_CHALLENGE: "dns-01:test", CERTBOT_TEST_TOKEN: "hunter2" };

describe("a kind of challenge in the list", () => {
  test("is chosen by its word, with its own settings, which nobody else needs", async () => {
    const { read, mistakes } = await withProvider();
    const { challenges } = read(CHOSEN);
    expect(challenges).toEqual([{ names: "all", kind: "dns-01:test", type: "dns-01", settings: expect.any(Secret) }]);
    expect(read({}).challenges).toEqual(byWebroot());
    expect(mistakes({ CERTBOT_CHALLENGE: "DNS-01:test" })).toEqual(["CERTBOT_TEST_TOKEN: is needed for dns-01:test"]);
    expect(mistakes({ CERTBOT_CHALLENGE: "dns-02" })).toEqual([
      'CERTBOT_CHALLENGE="dns-02": is no challenge; allowed: http-01, dns-01:test',
    ]);
    expect(mistakes({ CERTBOT_TEST_TOKN: "hunter2" })[0]).toContain("did you mean CERTBOT_TEST_TOKEN?");
  });

  test("has its secret in the settings' digest, unread: another one may make a failed order succeed", async () => {
    const { read } = await withProvider();
    const words = ["hunter2", "hunter3"].map((token) => digestSettings(read({ ...CHOSEN, CERTBOT_TEST_TOKEN: token })));
    expect(new Set([...words, digestSettings(read({}))]).size).toBe(3);
  });

  test("proves wildcards where it is DNS-01, and no addresses", async () => {
    const { read, mistakes } = await withProvider();
    const CERTBOT_DOMAIN = "a.test,*.a.test";
    expect(read({ ...CHOSEN, CERTBOT_DOMAIN }).wanted[0]?.identifiers).toHaveLength(2);
    expect(mistakes({ CERTBOT_DOMAIN })).toEqual([
      expect.stringContaining("which only the DNS-01 challenge can prove"),
    ]);
    const ADDRESS = { CERTBOT_DOMAIN: "8.8.8.8", CERTBOT_SERVER: "zerossl" };
    expect(mistakes({ ...CHOSEN, ...ADDRESS })).toEqual([
      `CERTBOT_DOMAIN="8.8.8.8": is an IP address, which the DNS-01 challenge can't prove`,
    ]);
    expect(mistakes(ADDRESS)).toEqual([]);
  });

  test("solves the names that it was chosen for", async () => {
    const { kinds, tools } = await withProvider();
    const solverFor = createSolvers(kinds, tools());
    const dns = { names: ["*.a.test"], kind: "dns-01:test", type: "dns-01", settings: "token" } as const;
    const typeOf = (value: string) => solverFor([dns, ...byWebroot()], { type: "dns", value }).type;
    expect(["*.a.test", "a.test", "b.test"].map(typeOf)).toEqual(["dns-01", "http-01", "http-01"]);
    expect(() => solverFor([dns], { type: "dns", value: "a.test" })).toThrow("no challenge was chosen for a.test");
  });
});

describe("the conf of a lineage", () => {
  const DNS = [{ names: "all", kind: "dns-01:test", type: "dns-01", settings: "token" }] as const;

  test("names the provider and no credentials, which the settings must have", async () => {
    const { kinds } = await withProvider();
    const root = await folderInMemory();
    const open = (chosen: Parameters<typeof challengeConfs>[1]) =>
      createLineageStore({ root, log: collectLog(), challenges: challengeConfs(kinds, chosen) });
    const settingsOf = async (store: ReturnType<typeof open>) => (await store.list())[0]?.settings;
    await open(DNS).install(newVersion("a.test", { settings: { ...SETTINGS, challenges: DNS } }), new Date());
    expect(await settingsOf(open(DNS))).toMatchObject({ challenges: DNS });
    expect((await settingsOf(open(DNS)))?.unsupported).toBeUndefined();
    const without = await settingsOf(open(byWebroot("/srv")));
    expect(without).toMatchObject({
      challenges: byWebroot("/srv"),
      unsupported: [{ option: "authenticator = manual" }],
    });
    await open([]).install(newVersion("a.test"), new Date());
    expect(await settingsOf(open(DNS))).toMatchObject({ challenges: byWebroot() });
  });
});
