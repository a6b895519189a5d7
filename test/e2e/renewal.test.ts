import type { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pebbleFinds } from "../support/pebble-finds.ts";
import { renewedToServedMs, tellSpans } from "./support/renewed-to-served.ts";
import { diskLeaf, servedLeaf } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const LIFETIME_S = 60;
const RENEWALS = process.env["CERT_SIDECAR_FULL"] ? 10 : 3;

/** A certificate as somebody outside saw it, from when on. */
type Sighting = { readonly leaf: X509Certificate; readonly firstSeenAt: Date };

describe("certificates that live for 60 seconds, and nobody who gives a command", () => {
  let stack: Stack;
  const sightings: Sighting[] = [];
  const gaps: string[] = [];

  beforeAll(async () => {
    stack = await createStack({ lifetimeS: LIFETIME_S });
    await stack.up();
  });
  afterAll(() => stack?.remove());
  tellOnFailure(() => stack);

  test(
    `${RENEWALS} renewals in a row are each served before the certificate before ends, and TLS never stops or shows an expired one`,
    { timeout: (RENEWALS + 3) * LIFETIME_S * 1000 },
    async () => {
      await until("HTTPS begins with a certificate of the CA", async () => {
        const leaf = await servedLeaf(stack);
        return isFromCa(leaf) ? watch(leaf) : undefined;
      });
      const startedAt = await stack.inspect("nginx", "{{.State.StartedAt}}");

      await until(
        `${RENEWALS} renewals are served`,
        async () => {
          await look();
          return sightings.length > RENEWALS ? true : undefined;
        },
        (RENEWALS + 1) * LIFETIME_S * 1000,
      );

      expect(gaps).toEqual([]);
      for (const [index, { leaf }] of sightings.slice(0, -1).entries()) {
        expect(sightings[index + 1]?.firstSeenAt.getTime()).toBeLessThan(leaf.validToDate.getTime());
      }
      expect(await stack.inspect("nginx", "{{.State.StartedAt}} {{.RestartCount}}")).toBe(`${startedAt} 0`);
    },
  );

  test("each renewal cost one order, and is a version on disk with the names of the first", async () => {
    expect(await stack.orders()).toBe(sightings.length);
    const served = sightings.map(({ leaf }) => leaf.fingerprint256);
    expect(new Set(served).size).toBe(sightings.length);
    expect((await diskLeaf(stack)).fingerprint256).toBe(served.at(-1));
    for (const { leaf } of sightings) expect(leaf.subjectAltName).toBe("DNS:demo.test");
  });

  test("the sidecar tells each renewal and that it is served, in its log, and is healthy", async () => {
    // We may have seen the last one sooner than the sidecar has.
    const spans = await until("each renewal is told as served", async () => {
      const told = await renewedToServedMs(stack);
      return told.length >= RENEWALS ? told : undefined;
    });
    tellSpans(spans);
    expect(spans).toHaveLength(RENEWALS);
    const events = await stack.events();
    const firstServed = events.findIndex(({ event }) => event === "target.served");
    // Before it the sidecar may have had to wait for a demo CA that was just starting.
    const troubles = events.slice(firstServed).filter(({ level }) => level === "error" || level === "warn");
    const unfound = sightings.slice(0, -1).filter(({ leaf }) => !pebbleFinds(leaf));
    const ofUnfound = unfound.flatMap(() => ["request.repeated", "request.repeated", "replacement.refused"]);
    expect(troubles.map(({ event }) => event)).toEqual(ofUnfound);
    const { code, stdout } = await stack.certbot("status");
    expect(stdout).toContain("nginx-1: serves this version");
    expect(code).toBe(0);
  });

  function watch(leaf: X509Certificate): true {
    if (sightings.at(-1)?.leaf.fingerprint256 !== leaf.fingerprint256)
      sightings.push({ leaf, firstSeenAt: new Date() });
    return true;
  }

  // A look that fails is what a visitor would have met: it is kept, not tried again.
  async function look(): Promise<void> {
    const now = new Date();
    try {
      const leaf = await servedLeaf(stack);
      if (leaf.validToDate < now) gaps.push(`${now.toISOString()}: expired at ${leaf.validTo}`);
      watch(leaf);
    } catch (thrown) {
      gaps.push(`${now.toISOString()}: ${String(thrown)}`);
    }
  }
});

function isFromCa(leaf: X509Certificate): boolean {
  return leaf.issuer.includes("Pebble");
}
