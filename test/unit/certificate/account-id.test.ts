import { createHash, createPublicKey } from "node:crypto";
import { expect, test } from "vitest";
import { accountIdOf } from "../../../src/certificate/index.ts";

// A key made once for this test, and the id that Python's cryptography gives it the way certbot asks for it:
// md5 over public_bytes(PEM, SubjectPublicKeyInfo).
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMPSpYbaov+hsSAV6
6XB6h0pcWUUxur8K4bYq1U//qu2hRANCAAR7NvsSUp4nEFFRldjBimj2LTeOYVoM
kRnZ/PbMe2JbsiycRdFJXDmI1PZRDRblSaE6MgHXshvBodAtib7OjdF8
-----END PRIVATE KEY-----
`;
const ID = "9ee1a85d0fe26d064169ee303f43fd9e";

test("an account's id is the one that certbot would give it", () => {
  expect(accountIdOf(KEY)).toBe(ID);
});

test("it is made of the public key alone, its PEM's final new line included", () => {
  const pem = createPublicKey(KEY).export({ type: "spki", format: "pem" }).toString();
  expect(pem.endsWith("-----END PUBLIC KEY-----\n")).toBe(true);
  expect(accountIdOf(KEY)).toBe(createHash("md5").update(pem).digest("hex"));
});
