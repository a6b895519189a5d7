import { Readable } from "node:stream";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distanceFrom, linkTargets, readChain } from "../../src/acme/certificate-chain.ts";
import { ChallengeFailedError } from "../../src/acme/failures/problem-errors.ts";
import { refusalOf } from "../../src/acme/failures/refusal.ts";
import { parseRetryAfter } from "../../src/acme/failures/retry-after.ts";
import { readDirectory, readOrder } from "../../src/acme/objects.ts";
import { printable, splitWords } from "../../src/certificate/index.ts";
import { toPlainFields } from "../../src/system/plain-fields.ts";
import { readCopy } from "../../src/target/copy-label.ts";
import { readContainer } from "../../src/target/docker/container.ts";
import { toEngineError } from "../../src/target/docker/engine-errors.ts";
import { readJsonLines } from "../../src/target/docker/json-lines.ts";
import { readMounts } from "../../src/target/docker/mountinfo.ts";
import { containerIdFromMounts } from "../../src/target/docker/own-container.ts";
import { exec } from "../../src/target/exec.ts";
import { readPort, readWants } from "../../src/target/labels.ts";
import {
  pathsBeside,
  readCertificates,
  readEntries,
  readManaged,
  withLines,
} from "../../src/target/haproxy/crt-list.ts";
import { hasCipherFor } from "../../src/target/nginx-alerts.ts";
import { readConfiguration } from "../../src/target/nginx-configuration.ts";
import { readFiles, readSays } from "../../src/target/nginx-files.ts";
import { listeningOf } from "../../src/target/nginx-listeners.ts";
import { RenewalConf } from "../../src/store/renewal-conf.ts";
import { writeSettings } from "../../src/store/renewal-settings.ts";
import { treePaths } from "../../src/store/tree-paths.ts";
import { byWebroot, CONFS } from "../support/challenges.ts";
import { cpuMsOf } from "../support/cpu-time.ts";

const SIZE = 1024 * 1024;
const HAPROXY = pathsBeside("/run/haproxy/haproxy.sock");
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
  "{",
  "*[",
  "include *;",
  "# configuration file /a:\n",
  "x_by_lua_block{[[",
]
  .concat([
    "/",
    "\\1",
    ".,;)",
    "<title",
    "<title ",
    "http://",
    "!! ",
    "== a\n",
    "-----BEGIN A",
    "-----BEGIN PRIVATE KEY-----",
  ])
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

const PIECES = [
  "a",
  "A",
  "0",
  " ",
  "\t",
  "\n",
  "\r",
  "-",
  "-----",
  "=",
  ",",
  ";",
  ":",
  "/",
  "\\",
  "<",
  ">",
  '"',
  "'",
  "[",
  "]",
  ".",
]
  .concat([
    "(",
    "#",
    "<title",
    "<body",
    "https://",
    "BEGIN ",
    "END ",
    "PRIVATE KEY",
    "CERTIFICATE",
    "containers/",
    "!! ",
    "== ",
  ])
  .concat([
    "for ",
    "requesting certificates for ",
    "retry after ",
    "during ",
    "refused",
    "redirect",
    "\u00a0",
    "\u202e",
  ]);

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
  ["a firewall's page", (text) => refusal(403, `<html><title>${text}`)],
  ["what stands before a page", (text) => refusal(403, `${text}<html>`)],
  ["a CA's words on a paused account", (detail) => refusal(403, problemOf("unauthorized", { detail }))],
  ["a CA's link in a problem", (instance) => refusal(403, problemOf("userActionRequired", { instance }))],
  ["a CA's many parts of a problem", (text) => refusal(400, problemOf("compound", { subproblems: partsOf(text) }))],
  ...["connection", "dns", "tls", "unauthorized", "caa"].map(
    (type) => [`a CA's words on a failed proof: ${type}`, (detail: string) => proofOf(type, detail)] as const,
  ),
  ["a CA's order", (text) => readOrder(ASKED.url, { status: text, authorizations: [text, text], finalize: text })],
  ["a CA's directory", (text) => readDirectory(ASKED.url, { newNonce: text, newAccount: text, newOrder: text })],
  ["what nginx's container prints", (text) => [readSays(text), readFiles(text)]],
  ["nginx's configuration", (text) => readConfiguration(`${CONF}http {\n${text}`)],
  ["the servers of nginx's configuration", (text) => serversOf(`server_name ${text}; listen 1 ssl; ssl_certificate /`)],
  ["the listeners of nginx's configuration", (text) => serversOf(`listen ${text} ssl; ssl_certificate /live/l/;`)],
  ["the ciphers of nginx's configuration", (text) => hasCipherFor("ECDSA", text)],
  [
    "the includes of nginx's configuration",
    (text) => readConfiguration(`${CONF}include /${text};\n${HEAD}/${text}:\n`),
  ],
  [
    "what HAProxy answers, and the list in its folder",
    (text) => [readEntries(text), readCertificates(text), readManaged(text), withLines(HAPROXY, text, [])],
  ],
  ["the mounts of our container", (text) => [readMounts(text), containerIdFromMounts(mountOf(text))]],
  ["what the engine says of a container", (text) => readContainer(containerOf(text))],
  ["a container's labels", (value) => [readPort("t", { "cert-sidecar.port": value }), readWants("t", { value })]],
  ["a container's label of paths", (value) => readCopy("t", { "cert-sidecar.copy": `/${value}` }, exec)],
  ["a container's label of a command", (value) => splitWords(value)],
  ["a conf's challenges", (text) => CONFS.read(new RenewalConf(`[renewalparams]\n[[webroot_map]]\na = ${text}`))],
  ["a field of a log line", (text) => toPlainFields({ message: text })],
];

const HEAD = "# configuration file ";
const CONF = `${HEAD}/etc/nginx/nginx.conf:\n`;

function serversOf(inside: string): unknown {
  const servers = readConfiguration(`${CONF}http { server { ${inside} } }`) ?? [];
  const { listenersOf } = listeningOf(servers, { address: "10.0.0.2", port: 443, addresses: ["10.0.0.2"] });
  return listenersOf("l", { type: "dns", value: "a.test" });
}

const problemOf = (type: string, more: object) =>
  JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, ...more });

const partsOf = (text: string) =>
  (text.match(/[^]{1,1024}/g) ?? []).map((detail) => ({
    type: "x",
    detail,
    identifier: { type: "dns", value: detail },
  }));

function proofOf(type: string, detail: string) {
  const problem = { type: `urn:ietf:params:acme:error:${type}`, detail, subproblems: [] };
  const identifier = { type: "dns", value: "a.test" } as const;
  return new ChallengeFailedError([{ identifier, problem, records: [], isTried: true }]);
}

const mountOf = (root: string) => `1 2 0:1 ${root} /etc/hostname rw - ext4 /dev/x rw`;

const containerOf = (text: string) => ({
  Id: text,
  Name: text,
  Image: text,
  State: { Status: text, ExitCode: 0 },
  Config: { Env: [text], Labels: { [text]: text } },
  HostConfig: { NetworkMode: text, Binds: [text] },
  NetworkSettings: { Networks: { [text]: { IPAddress: text } } },
  Mounts: [{ Type: "volume" as const, Name: text, Destination: text }],
});

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

  test("whatever it repeats behind whatever", async () => {
    const words = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(""));
    const text = fc.tuple(words, words, words).map(([start, unit, end]) => ({ start, unit, end }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...READERS), text, async ([, read], { start, unit, end }) => {
        expect(await cpuMsOf(() => read(`${start}${filled(unit)}${end}`))).toBeLessThan(MOST_CPU_MS);
      }),
      { numRuns: 150 },
    );
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
