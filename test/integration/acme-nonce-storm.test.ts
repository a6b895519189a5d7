import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { readLeaf } from "../../src/certificate/index.ts";
import { acmeStage, dns, freshName } from "../support/acme-stage.ts";

// Every second request is refused, and no authorization is found again.
const stage = acmeStage({ nonceRejectPercent: 50, authorizationReusePercent: 0 });

const refusedNonces = () => stage.ca.passed.filter(({ body }) => body.includes("error:badNonce")).length;

describe("a CA that refuses half of all nonces and forgets its authorizations", () => {
  test("issues a certificate for 100 names, and no proof is left behind", async () => {
    const { issue } = await stage.sidecar();
    const names = dns(...Array.from({ length: 100 }, freshName));
    const issued = await issue(stage.request(names));
    expect(new Set(readLeaf(issued.certificatePem).identifiers)).toEqual(new Set(names));
    expect(refusedNonces()).toBeGreaterThan(50);
    expect(await readdir(stage.webroot)).toEqual([]);
  });

  test("has every name proven again at each renewal", async () => {
    const { issue, events } = await stage.sidecar();
    const names = dns(freshName(), freshName());
    for (let count = 0; count < 5; count += 1) await issue(stage.request(names));
    expect(events().filter((event) => event === "challenge.validated")).toHaveLength(10);
    expect(events()).not.toContain("authorization.reused");
  });
});
