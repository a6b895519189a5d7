import { execFile } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { certificatesIn } from "../../../src/certificate/index.ts";
import { packPkcs12, type Pkcs12Parts } from "../../../src/target/pkcs12.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const run = promisify(execFile);
const PASSWORD = "changeit";

const pkcs8 = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
const elliptic = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength }).privateKey;

function partsOf(privateKeyPem = pkcs8(elliptic("P-256")), more: Partial<Pkcs12Parts> = {}): Pkcs12Parts {
  const { certificatePem, chainPem } = issueForTest({ names: ["a.test"], privateKeyPem });
  return { privateKeyPem, chainPem: certificatePem + chainPem, name: "a.test", password: PASSWORD, ...more };
}

/** What openssl reads in it, without the prompts; and what it says of how it is made. */
async function readByOpenssl(file: Buffer, password = PASSWORD) {
  const path = join(await temporaryFolder(), "x.p12");
  await writeFile(path, file);
  const pass = ["-passin", `pass:${password}`];
  const { stdout, stderr } = await run("openssl", ["pkcs12", "-info", "-noenc", "-in", path, ...pass]);
  const keys = /-----BEGIN PRIVATE KEY-----[^]+?-----END PRIVATE KEY-----\n/.exec(stdout) ?? [];
  const names = [...stdout.matchAll(/friendlyName: (.*)/g)].map(([, name]) => name);
  const ids = new Set([...stdout.matchAll(/localKeyID: (.*)/g)].map(([, id]) => id));
  return { key: keys[0], chain: certificatesIn(stdout).join(""), names, ids: ids.size, how: stderr };
}

describe("a file in PKCS #12", () => {
  test.each([
    ["P-256", pkcs8(elliptic("P-256"))],
    ["P-384", pkcs8(elliptic("P-384"))],
    ["RSA of 2048 bits", pkcs8(rsa(2048))],
    ["RSA in PKCS #1, of an old certbot", rsa(3072).export({ type: "pkcs1", format: "pem" }).toString()],
  ])("with a key of %s is opened by openssl and by Node, whole and by its name", async (_, privateKeyPem) => {
    const parts = partsOf(privateKeyPem);
    const file = packPkcs12(parts);
    const read = await readByOpenssl(file);
    expect(read).toMatchObject({ key: pkcs8(createPrivateKey(privateKeyPem)), chain: parts.chainPem });
    // One of each is the leaf's, the other the key's.
    expect(read).toMatchObject({ names: ["a.test", "a.test"], ids: 1 });
    expect(() => createSecureContext({ pfx: file, passphrase: PASSWORD })).not.toThrow();
  });

  test("is encrypted and sealed with nothing that is out of use", async () => {
    const { how } = await readByOpenssl(packPkcs12(partsOf()));
    expect(how).toMatch(/^MAC: sha256/m);
    const encrypted = how.split("\n").filter((line) => /encrypted|shrouded/i.test(line));
    expect(encrypted).toHaveLength(2);
    for (const line of encrypted) expect(line).toContain("PBES2, PBKDF2, AES-256-CBC");
    expect(how).toContain("hmacWithSHA256");
  });

  test.each(["!", "~", "x".repeat(31), "x".repeat(32), "x".repeat(128), `a"b'c\\d=e:f,g`])(
    "has the password %j, and no other one",
    async (password) => {
      const parts = partsOf(undefined, { password });
      const file = packPkcs12(parts);
      expect((await readByOpenssl(file, password)).chain).toBe(parts.chainPem);
      await expect(readByOpenssl(file, `${password}x`)).rejects.toThrow(/Mac verify error/);
    },
  );

  test.each([1, 62, 63, 64, 127, 128, 253])("has a name of %i characters", async (length) => {
    const name = "n".repeat(length);
    expect((await readByOpenssl(packPkcs12(partsOf(undefined, { name })))).names).toEqual([name, name]);
  });

  test("holds a chain of any length, in its order", async () => {
    const more = ["One", "Two", "Three"].map((issuer) => issueForTest({ names: ["ca.test"], issuer }).chainPem);
    const parts = partsOf();
    for (const chainPem of [certificatesIn(parts.chainPem)[0] ?? "", parts.chainPem + more.join("")]) {
      expect((await readByOpenssl(packPkcs12({ ...parts, chainPem }))).chain).toBe(chainPem);
    }
  });

  test("is the same for the same parts, and shares no salt with that of any other", () => {
    const parts = partsOf();
    const file = packPkcs12(parts);
    expect(packPkcs12(parts).equals(file)).toBe(true);
    const others = [
      partsOf(),
      { ...parts, chainPem: certificatesIn(parts.chainPem)[0] ?? "" },
      { ...parts, name: "b.test" },
      { ...parts, password: "changed" },
    ].map(packPkcs12);
    const salts = [file, ...others].flatMap(saltsOf);
    expect(salts).toHaveLength(5 * 5);
    expect(new Set(salts).size).toBe(salts.length);
  });
});

// Salts and initialisation vectors stand behind the identifiers of PBKDF2 and AES, the seal's salt before the last number.
function saltsOf(file: Buffer): string[] {
  const hex = file.toString("hex");
  const found = /(?:2a864886f70d01050c30..|60864801650304012a)0410(.{32})|0410(.{32})02020800$/g;
  return [...hex.matchAll(found)].map(([, salt, last]) => salt ?? last ?? "");
}
