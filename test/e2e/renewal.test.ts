import type { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pebbleFinds } from "../support/pebble-finds.ts";
import { renewedToServedMs, tellSpans } from "./support/renewed-to-served.ts";
import { isDiskServed, servedLeaf } from "./support/served.ts";
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
    // The next one may be under way, or have come and gone while nobody looked.
    const versions = await until("no order is under way", async () => {
      const events = (await stack.events()).map(({ event }) => String(event));
      const versions = events.filter((event) => event === "lineage.issued" || event === "lineage.renewed").length;
      return (await stack.orders()) === versions ? versions : undefined;
    });
    expect(versions).toBeGreaterThanOrEqual(sightings.length);
    const served = sightings.map(({ leaf }) => leaf.fingerprint256);
    expect(new Set(served).size).toBe(sightings.length);
    await until("what is on disk is served", async () => (await isDiskServed(stack)) || undefined);
    for (const { leaf } of sightings) expect(leaf.subjectAltName).toBe("DNS:demo.test");
  });

  test("the sidecar tells each renewal and that it is served, in its log, and is healthy", async () => {
    // We may have seen the last one sooner than the sidecar has.
    const spans = await until("each renewal is told as served", async () => {
      const told = await renewedToServedMs(stack);
      return told.length >= RENEWALS ? told : undefined;
    });
    tellSpans(spans);
    const events = await stack.events();
    const firstServed = events.findIndex(({ event }) => event === "target.served");
    // Before it the sidecar may have had to wait for a demo CA that was just starting.
    const troubles = events.slice(firstServed).filter(({ level }) => level === "error" || level === "warn");
    // Three words of each order whose predecessor Pebble didn't find, and none else.
    const refused = troubles.filter(({ event }) => event === "replacement.refused");
    const told = refused.flatMap(() => ["request.repeated", "request.repeated", "replacement.refused"]);
    expect(troubles.map(({ event }) => event)).toEqual(told);
    expect(refused.length).toBeLessThanOrEqual(sightings.filter(({ leaf }) => !pebbleFinds(leaf)).length);
    // A renewal that has just gone to disk is told as not served for a moment.
    await until("status tells what is served", async () => {
      const { code, stdout } = await stack.certbot("status");
      return (code === 0 && stdout.includes("nginx-1: serves this version")) || undefined;
    });
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
