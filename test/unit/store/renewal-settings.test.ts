import { describe, expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { RenewalConf } from "../../../src/store/renewal-conf.ts";
import { readSettings, writeSettings, type ConfFacts } from "../../../src/store/renewal-settings.ts";
import { treePaths } from "../../../src/store/tree-paths.ts";
import { SETTINGS, certbotConf } from "../../support/lineage-tree.ts";
import { byWebroot, CONFS } from "../../support/challenges.ts";

const ROOT = "/etc/letsencrypt";

function facts(change: Partial<ConfFacts> = {}): ConfFacts {
  const accountId = "0123456789abcdef0123456789abcdef";
  return {
    lineage: "a.test",
    identifiers: [parseIdentifier("a.test")],
    addedNames: [],
    settings: SETTINGS,
    accountId,
    ...change,
  };
}

function write(text: string, change: Partial<ConfFacts> = {}): string {
  const conf = new RenewalConf(text);
  writeSettings(conf, { paths: treePaths(ROOT), challenges: CONFS }, facts(change));
  return conf.toString();
}

describe("the settings in a renewal conf", () => {
  test("are written anew as certbot writes them", () => {
    const written = certbotConf(ROOT, "a.test").replace("5.5.0", "5.0.0");
    expect(write("")).toBe(written.replace("key_type = ecdsa\n", "key_type = ecdsa\nelliptic_curve = secp256r1\n"));
  });

  test("leave certbot's own conf as it is when nothing has changed", () => {
    expect(write(certbotConf(ROOT, "a.test"))).toBe(certbotConf(ROOT, "a.test"));
  });

  test("keep hooks, comments and unknown keys when the account changes", () => {
    const text = certbotConf(ROOT, "a.test").replace(
      "[[web",
      "renew_hook = systemctl reload x\n# mine\nfoo = 1, 2\n[[web",
    );
    const after = write(text, { accountId: "f".repeat(32) });
    expect(after).toBe(text.replace("0123456789abcdef0123456789abcdef", "f".repeat(32)));
  });

  test("name what they ask for and we don't do, and nothing where certbot wrote a default", () => {
    const plain = certbotConf(ROOT, "a.test").replace("[[web", "post_hook = None\nreuse_key = False\n[[web");
    expect(readSettings(new RenewalConf(plain), CONFS).unsupported).toBeUndefined();
    const asking = plain
      .replace("authenticator = webroot", "authenticator = dns-cloudflare")
      .replace("reuse_key = False", "reuse_key = True\nrenew_hook = systemctl reload x");
    expect(readSettings(new RenewalConf(asking), CONFS).unsupported?.map(({ option }) => option)).toEqual([
      "authenticator = dns-cloudflare",
      "renew_hook = systemctl reload x",
    ]);
  });

  test("say the new key type alone when it changes", () => {
    const rsa = write(certbotConf(ROOT, "a.test"), { settings: { ...SETTINGS, keyType: "rsa-3072" } });
    expect(rsa).toContain("key_type = rsa\nrsa_key_size = 3072\n");
    expect(readSettings(new RenewalConf(rsa), CONFS).keyType).toBe("rsa-3072");
    const curve = write(rsa, { settings: { ...SETTINGS, keyType: "ecdsa-p384" } });
    expect(curve).toContain("key_type = ecdsa\nelliptic_curve = secp384r1\n");
    expect(curve).not.toContain("rsa_key_size");
  });

  test("name what the CA has added to the names, above certbot's own part, for as long as it does", () => {
    const added = write(certbotConf(ROOT, "a.test"), { addedNames: ["www.a.test"] });
    expect(added).toBe(certbotConf(ROOT, "a.test").replace("\n\n", "\nadded_names = www.a.test,\n\n"));
    expect(write(added)).toBe(certbotConf(ROOT, "a.test"));
  });

  test("follow the names and the webroot", () => {
    const identifiers = ["b.test", "192.0.2.1", "2001:db8::1"].map(parseIdentifier);
    const after = write(certbotConf(ROOT, "a.test"), {
      identifiers,
      settings: { ...SETTINGS, challenges: byWebroot("/srv/a, b") },
    });
    expect(after).toContain('webroot_path = "/srv/a, b",\n');
    const map = after.split("[[webroot_map]]\n")[1];
    expect(map).toBe('b.test = "/srv/a, b"\n192.0.2.1 = "/srv/a, b"\n2001:db8::1 = "/srv/a, b"\n');
  });

  test("keep webroots that an operator gave to single names", () => {
    const text = `${certbotConf(ROOT, "a.test")}www.a.test = /srv/www\n`;
    expect(write(text, { identifiers: ["a.test", "www.a.test"].map(parseIdentifier) })).toBe(text);
  });

  test("are read with certbot's defaults where the conf is silent", () => {
    expect(readSettings(new RenewalConf("[renewalparams]\n"), CONFS)).toEqual({
      directoryUrl: "https://acme-v02.api.letsencrypt.org/directory",
      accountId: undefined,
      keyType: "rsa-2048",
      challenges: byWebroot(),
      profile: undefined,
      preferredChain: undefined,
      reuseKey: false,
      renewBeforeMs: undefined,
      autorenew: true,
    });
  });

  test("hold a profile, a chain and the habit with keys as certbot writes them, and nothing of them where none was asked for", () => {
    const asked = {
      ...SETTINGS,
      profile: { name: "shortlived", isRequired: false },
      preferredChain: "ISRG Root X1",
      reuseKey: true,
    };
    const written = write(certbotConf(ROOT, "a.test"), { settings: asked });
    const lines = "reuse_key = True\npreferred_chain = ISRG Root X1\npreferred_profile = shortlived\n";
    expect(written).toBe(certbotConf(ROOT, "a.test").replace("[[web", `${lines}[[web`));
    expect(readSettings(new RenewalConf(written), CONFS)).toMatchObject(asked);
    expect(write(written, { settings: asked })).toBe(written);
    const off = write(written, { settings: SETTINGS });
    expect(off).toBe(certbotConf(ROOT, "a.test").replace("[[web", "reuse_key = False\n[[web"));
    expect(readSettings(new RenewalConf(off), CONFS)).toMatchObject({ ...SETTINGS, profile: undefined });
  });

  test("hold one profile, required or preferred, and the required one counts where certbot's conf has both", () => {
    const both = certbotConf(ROOT, "a.test").replace("[[web", "preferred_profile = a\nrequired_profile = b\n[[web");
    const required = { ...SETTINGS, profile: { name: "b", isRequired: true } };
    expect(readSettings(new RenewalConf(both), CONFS)).toMatchObject(required);
    expect(write(both, { settings: required })).toBe(both);
    const preferred = write(both, { settings: { ...SETTINGS, profile: { name: "b", isRequired: false } } });
    expect(preferred).toContain("preferred_profile = b\n");
    expect(preferred).not.toContain("required_profile");
  });

  test.each(["None", "''"])("hold no wish that is %s", (nothing) => {
    const lines = ["preferred_profile", "required_profile", "preferred_chain", "reuse_key"].map(
      (key) => `${key} = ${nothing}`,
    );
    const text = certbotConf(ROOT, "a.test").replace("[[web", `${lines.join("\n")}\n[[web`);
    expect(readSettings(new RenewalConf(text), CONFS)).toMatchObject({
      profile: undefined,
      preferredChain: undefined,
      reuseKey: false,
    });
    expect(write(text)).toBe(text);
  });

  test.each(["False", "false", "no", "0", "off"])("leave a lineage alone with autorenew = %s", (value) => {
    expect(readSettings(new RenewalConf(`[renewalparams]\nautorenew = ${value}\n`), CONFS).autorenew).toBe(false);
  });

  test("are refused without [renewalparams], as certbot refuses them", () => {
    expect(() => readSettings(new RenewalConf("version = 1\n"), CONFS)).toThrow("[renewalparams]");
  });
});
