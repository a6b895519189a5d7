import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { distanceFrom, linkTargets, readChain } from "../../src/acme/certificate-chain.ts";
import { refusalOf } from "../../src/acme/failures/refusal.ts";
import { parseRetryAfter } from "../../src/acme/failures/retry-after.ts";
import { printable } from "../../src/certificate/index.ts";
import { toEngineError } from "../../src/target/docker/engine-errors.ts";
import { readJsonLines } from "../../src/target/docker/json-lines.ts";
import { RenewalConf } from "../../src/store/renewal-conf.ts";
import { writeSettings } from "../../src/store/renewal-settings.ts";
import { treePaths } from "../../src/store/tree-paths.ts";
import { byWebroot, CONFS } from "../support/challenges.ts";

const SIZE = 1024 * 1024;
// What the square of a length costs takes minutes at this size. Of the processor's time: a busy machine gives us less of it.
const MOST_CPU_MS = 8000;
const NOW = new Date("2026-08-05T10:00:00Z");

const filled = (unit: string) => unit.repeat(Math.ceil(SIZE / unit.length));

const NASTY = [
  "<",
  " ",
  "\n",
  "[",
  "]",
  "] ",
  "=",
  ";",
  ".",
  '"',
  "'''\n",
  "a='''\n",
  "a, ",
  ":://",
  "https://a.",
  "<a ",
  "CN=",
]
  .concat(["-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----a", 'for "', "requesting certificates for a, "])
  .map((unit) => ({ name: JSON.stringify(unit), text: filled(unit) }))
  .concat(
    ["[a", "[", "a", "a=b", "<a>;", "<a>;b", "requesting certificates for a"].flatMap((start) =>
      [" ", "]", ";", "["].map((unit) => ({
        name: `${JSON.stringify(start)}, then ${JSON.stringify(unit)}`,
        text: `${start}${filled(unit)}x`,
      })),
    ),
  );

const ASKED = { url: "https://ca.test/order", doing: "place an order", identifiers: [] };
const ENGINE = { endpoint: "/var/run/docker.sock", doing: "list containers" };

function refusal(status: number, text: string) {
  return refusalOf(ASKED, { status, headers: {}, text }, NOW);
}

async function readJson(text: string): Promise<void> {
  const chunks = text.match(/[^]{1,256}/g) ?? [];
  for await (const value of readJsonLines(Readable.from(chunks))) void value;
}

const READERS: readonly (readonly [string, (text: string) => unknown])[] = [
  ["a CA's page", (text) => refusal(500, text)],
  [
    "a CA's problem",
    (detail) => refusal(429, JSON.stringify({ type: "urn:ietf:params:acme:error:rateLimited", detail })),
  ],
  ["a CA's chain", (text) => distanceFrom("Root", readChain(text) ?? { certificatePem: "", chainPem: text })],
  ["a CA's Link header", (text) => linkTargets(text, "alternate", ASKED.url)],
  ["a CA's Retry-After header", (text) => parseRetryAfter(text, NOW)],
  ["a proxy's page before the engine", (text) => toEngineError(ENGINE, pageOf(text))],
  ["the engine's events", (text) => readJson(text)],
  ["a renewal conf", (text) => new RenewalConf(text)],
  ["an output for a terminal", (text) => printable(text)],
];

function pageOf(text: string): Error {
  return Object.assign(new Error("refused"), { statusCode: 502, json: Buffer.from(text) });
}

describe("a million characters of others' text cost no more than their length:", () => {
  test.each(READERS)("%s", async (_name, read) => {
    for (const { name, text } of NASTY) {
      const cpuMs = await cpuMsOf(() => read(text));
      expect({ name, isSlow: cpuMs > MOST_CPU_MS, cpuMs }).toEqual({ name, isSlow: false, cpuMs });
    }
  });

  test("a renewal conf whose names are no longer wanted", async () => {
    const map = Array.from({ length: 100_000 }, (_, index) => `${index}=\n`).join("");
    const conf = new RenewalConf(`[renewalparams]\n[[webroot_map]]\n${map}`);
    const settings = {
      directoryUrl: ASKED.url,
      accountId: "0",
      keyType: "ecdsa-p256",
      challenges: byWebroot("/srv"),
    } as const;
    const facts = { lineage: "a.test", identifiers: [], addedNames: [], accountId: "0" };
    const write = () =>
      writeSettings(
        conf,
        { paths: treePaths("/tree"), challenges: CONFS },
        {
          ...facts,
          settings: { ...settings, reuseKey: false, autorenew: true },
        },
      );
    expect(await cpuMsOf(write)).toBeLessThan(MOST_CPU_MS);
    expect(conf.keys("renewalparams/webroot_map")).toEqual([]);
  });
});

/** The processor's time that something takes, in milliseconds; whether it throws doesn't matter. */
async function cpuMsOf(act: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await Promise.resolve()
    .then(act)
    .catch(() => undefined);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
