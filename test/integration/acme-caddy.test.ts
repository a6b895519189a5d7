import { X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { isKeyOf, lifetimeMs, readLeaf } from "../../src/certificate/index.ts";
import type { IssuedCertificate, IssueRequest } from "../../src/reconcile/index.ts";
import { type AcmeSidecar, dns, failureOf, makeSidecar } from "../support/acme-stage.ts";
import { type Caddy, startCaddy } from "../support/caddy.ts";
import { byWebroot } from "../support/challenges.ts";

const NAME = "first.caddy.test";
const NAMES = [NAME, ...Array.from({ length: 5 }, (_, index) => `www-${index}.caddy.test`)];
const DAY_MS = 24 * 3600 * 1000;
const { signal } = new AbortController();

let caddy: Caddy;
let webroot: string;

beforeAll(async () => {
  webroot = await mkdtemp(join(tmpdir(), "webroot-"));
  caddy = await startCaddy({ webroot, names: NAMES, lifetimeS: (6 * DAY_MS) / 1000 });
  return async () => {
    await caddy.stop();
    await rm(webroot, { recursive: true, force: true });
  };
});

function sidecar(): Promise<AcmeSidecar> {
  return makeSidecar({ ca: caddy, webUrl: caddy.webUrl });
}

function request(more: Partial<IssueRequest> = {}): IssueRequest {
  return {
    lineage: NAME,
    identifiers: dns(NAME),
    keyType: "ecdsa-p256",
    directoryUrl: caddy.directoryUrl,
    challenges: byWebroot(webroot),
    account: "stored",
    ...more,
  };
}

describe("Caddy, a CA that is not Pebble", () => {
  test("issues a certificate and renews it twice, all with one account", async () => {
    const { issue, events } = await sidecar();
    const issued: IssuedCertificate[] = [];
    for (let version = 0; version < 3; version += 1) {
      const replaces = issued.map(({ certificatePem }) => readLeaf(certificatePem).certificateId).at(-1);
      issued.push(await issue(request({ replaces })));
    }
    const leaves = issued.map(({ certificatePem }) => readLeaf(certificatePem));
    for (const [version, { certificatePem, chainPem, privateKeyPem, isReplacement }] of issued.entries()) {
      expect(isKeyOf(certificatePem, privateKeyPem)).toBe(true);
      expect(new X509Certificate(certificatePem).checkIssued(new X509Certificate(chainPem))).toBe(true);
      expect(leaves[version]?.identifiers).toEqual(dns(NAME));
      // The CA knows no renewal information, so nothing can replace anything there.
      expect(isReplacement).toBe(false);
    }
    expect(new Set(leaves.map(({ serial }) => serial)).size).toBe(3);
    expect(new Set(issued.map(({ accountId }) => accountId)).size).toBe(1);
    expect(events().filter((event) => event === "account.registered")).toHaveLength(1);
    expect(events()).not.toContain("replacement.refused");
  });

  test("gives the lifetime that it is set to, several names, an address, and keys of all types", async () => {
    const { issue } = await sidecar();
    const [several, address] = await Promise.all([
      issue(request({ identifiers: dns(...NAMES), keyType: "rsa-2048" })),
      issue(request({ identifiers: [{ type: "ip", value: "127.0.0.1" }], keyType: "ecdsa-p384" })),
    ]);
    const leaf = readLeaf(several.certificatePem);
    expect(new Set(leaf.identifiers)).toEqual(new Set(dns(...NAMES)));
    expect(lifetimeMs(leaf.validity) / DAY_MS).toBeCloseTo(6, 1);
    expect(readLeaf(address.certificatePem).identifiers).toEqual([{ type: "ip", value: "127.0.0.1" }]);
  });

  test("is known to answer, and to have no renewal information", async () => {
    const { authority } = await sidecar();
    expect(await authority.isAnswering(caddy.directoryUrl, signal)).toBe(true);
    expect(await authority.renewalInfo(caddy.directoryUrl, "AAAA.AAAA", signal)).toEqual({ kind: "unsupported" });
    expect(Math.abs(authority.clockAheadMs() ?? Infinity)).toBeLessThan(10_000);
  });

  test("offers no profiles: one that is required is refused in words, one that is preferred left out", async () => {
    const { issue, events } = await sidecar();
    const error = await failureOf(issue(request({ profile: { name: "shortlived", isRequired: true } })));
    expect(error.code).toBe("ACME_PROFILE_NOT_OFFERED");
    expect(error.message).toContain("shortlived");
    expect(events()).not.toContain("account.registered");
    await issue(request({ profile: { name: "shortlived", isRequired: false } }));
    expect(events()).toContain("profile.not-offered");
  });

  test("offers one chain, which is taken, and told, when another was wanted", async () => {
    const { issue, lines } = await sidecar();
    const { chainPem } = await issue(request({ preferredChain: "Some Other Root" }));
    expect(new X509Certificate(chainPem).subject).toContain("Caddy Local Authority");
    expect(lines.find(({ event }) => event === "chain.not-offered")?.level).toBe("warn");
  });
});

describe("a proof that Caddy doesn't find", () => {
  // Pebble makes such an authorization invalid. Caddy leaves it pending, with what went wrong, until it is asked again.
  test("because the name doesn't resolve, is told at once and in its words", async () => {
    const { issue } = await sidecar();
    const error = await failureOf(issue(request({ identifiers: dns("nowhere.caddy.test") })));
    expect(error.message).toMatch(/could not verify nowhere\.caddy\.test: .*could not connect to validation target/);
    expect(error.code).toBe("ACME_CHALLENGE_UNREACHABLE");
    expect(error).toMatchObject({ origin: "proof", unverified: dns("nowhere.caddy.test") });
  });

  test("because something else is served there, is told in its words", async () => {
    const { issue } = await makeSidecar({ ca: caddy, webUrl: caddy.webUrl }, (solver) => ({
      present: (proof, presentSignal) =>
        solver.present({ ...proof, keyAuthorization: "something.else" }, presentSignal),
    }));
    const error = await failureOf(issue(request()));
    // Words of little help, and all that this CA has.
    expect(error.message).toContain(`could not verify ${NAME}: The server will not issue certificates`);
    expect(error).toMatchObject({ origin: "proof", code: expect.stringMatching(/^ACME_CHALLENGE_/) });
  });
});
