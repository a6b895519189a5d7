import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { OperatorError } from "../../../src/certificate/index.ts";
import { createTransport } from "../../../src/acme/transport.ts";
import { issueForTest } from "../../support/issued-certificate.ts";
import { networkOf } from "../../support/network.ts";

const DAY_MS = 24 * 3600 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

test.each([
  ["has run out", -20, -10, /certificate has expired/],
  ["is not valid yet, as after a reboot without a clock", 10, 20, /certificate is not yet valid/],
])("a CA whose own certificate %s, by our clock, shows that clock", async (_how, from, until, words) => {
  const issued = issueForTest({ names: ["127.0.0.1"], notBefore: inDays(from), notAfter: inDays(until) });
  const server = createServer({ key: issued.privateKeyPem, cert: issued.certificatePem + issued.chainPem });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const transport = createTransport(networkOf(issued.chainPem).http, 5000);
  const asked = transport({ url: `https://127.0.0.1:${port}/`, method: "GET", signal: new AbortController().signal });
  const error: unknown = await asked.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "ACME_UNTRUSTED" });
  const { message, remedy } = error as OperatorError;
  expect(message).toMatch(words);
  const shown = Date.parse(/this machine's clock shows (\S+)$/.exec(message)?.[1] ?? "");
  expect(Math.abs(shown - Date.now())).toBeLessThan(60_000);
  expect(remedy).toMatch(/^Set this machine's clock/);
});
