import { expect, onTestFinished, test } from "vitest";
import { readLeaf } from "../../src/certificate/index.ts";
import { acmeStage, dns, freshName } from "../support/acme-stage.ts";
import { testDnsProvider } from "../support/test-dns-provider.ts";

const stage = acmeStage();

test("a name and its wildcard are proven by two records of one name, of which nothing is left", async () => {
  const name = freshName();
  const provider = await testDnsProvider((at, values) => stage.pebble.setTexts(at, values));
  onTestFinished(() => provider.stop());
  const solver = provider.solver();
  const { issue, events } = await stage.sidecar(() => solver);
  const identifiers = dns(name, `*.${name}`);
  const issued = await issue(stage.request(identifiers));
  expect(readLeaf(issued.certificatePem).identifiers).toEqual(expect.arrayContaining(identifiers));
  expect(events().filter((event) => event === "self-check.passed")).toHaveLength(2);
  expect(provider.calls.map((call) => call.split(" ").slice(0, 2).join(" "))).toEqual([
    `add _acme-challenge.${name}`,
    `add _acme-challenge.${name}`,
    `remove _acme-challenge.${name}`,
    `remove _acme-challenge.${name}`,
  ]);
  expect(provider.texts(`_acme-challenge.${name}`)).toEqual([]);
});
