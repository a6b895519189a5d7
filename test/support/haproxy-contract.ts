import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { readLeaf } from "../../src/certificate/index.ts";
import type { ServedCertificate, Target, Version, Whole } from "../../src/reconcile/index.ts";
import { issueForTest } from "./issued-certificate.ts";

/** A target that has no certificate of ours yet, and the path of its socket, beside which its files are. */
export type HaproxyUnderTest = { readonly target: Target; readonly socket: string };

const NEVER = new AbortController().signal;

/** A version of a lineage with these names, by a new ECDSA key unless one is given. */
export function versionOf(lineage: string, names: readonly string[], key?: string) {
  const { certificatePem, chainPem, privateKeyPem } = issueForTest({ names, privateKeyPem: key });
  const { identifiers, fingerprint, keyKind, validity, serial } = readLeaf(certificatePem);
  // With an empty line, which is the end of all to HAProxy, as some CAs have between the certificates.
  const pair = async () => ({ privateKeyPem, chainPem: `${certificatePem}\n${chainPem}` });
  const version: Version = { lineage, identifiers, fingerprint, keyKind, validity, version: 1, isNew: true, pair };
  return { ...version, serial };
}

/** All that there is, beside what is in no state to be served. */
export function wholeOf(certificates: readonly ServedCertificate[], others: readonly string[] = []): Whole {
  return { certificates, lineages: [...certificates.map(({ lineage }) => lineage), ...others] };
}

/** What HAProxy's runtime API answers, read to its end. */
export async function askRuntime(socketPath: string, command: string): Promise<string> {
  const socket = connect(socketPath);
  socket.write(`${command}\n`);
  let answer = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) answer += chunk.toString();
  return answer;
}

/** What HAProxy has in memory of ours, `<file> <names>` of each line, and what it would read at its next start. */
export async function looksAt(socket: string) {
  const folder = dirname(socket);
  const plain = (text: string) =>
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.replace(`${folder}/`, "").replace(/:\d+ /, " "));
  const inMemory = plain(await askRuntime(socket, `show ssl crt-list -n ${folder}/crt-list.txt`));
  const onDisk = plain(await readFile(join(folder, "crt-list.txt"), "utf8"));
  return {
    inMemory: inMemory.sort(),
    onDisk,
    files: (await readdir(folder)).filter((one) => one.includes(".pem")).sort(),
  };
}

/** What every HAProxy does: a server that speaks as it does passes this as the real one does. */
export function haproxyContract(name: string, make: () => Promise<HaproxyUnderTest>): void {
  const apply = async (target: Target, behind: readonly Version[], all?: readonly ServedCertificate[]) =>
    Object.fromEntries(
      [...(await target.apply(behind, NEVER, all && wholeOf(all)))].map(([lineage, { message }]) => [lineage, message]),
    );
  const serialOf = async (socket: string, file: string) =>
    /^Serial: (\w+)$/m.exec(await askRuntime(socket, `show ssl cert ${dirname(socket)}/${file}.cert-sidecar.pem`))?.[1];
  const onDisk = async (socket: string, file: string) =>
    readLeaf(await readFile(`${dirname(socket)}/${file}.cert-sidecar.pem`, "utf8")).serial;

  describe(`${name}, as every HAProxy,`, () => {
    test("is given a first certificate, in memory and for its next start", async () => {
      const { target, socket } = await make();
      const first = versionOf("a.test", ["a.test", "*.b.test"]);
      expect(await apply(target, [first], [first])).toEqual({});
      const line = "a.test.cert-sidecar.pem a.test *.b.test";
      const files = ["a.test.cert-sidecar.pem"];
      expect(await looksAt(socket)).toEqual({ inMemory: [line], onDisk: [line], files });
      expect(await serialOf(socket, "a.test")).toBe(first.serial);
      expect(await onDisk(socket, "a.test")).toBe(first.serial);
    });

    test("is given a renewed one in the place of the old, once or twice", async () => {
      const { target, socket } = await make();
      const [first, second] = [versionOf("a.test", ["a.test"]), versionOf("a.test", ["a.test"])];
      for (const version of [first, second, second]) expect(await apply(target, [version], [version])).toEqual({});
      expect(await serialOf(socket, "a.test")).toBe(second.serial);
      expect(await onDisk(socket, "a.test")).toBe(second.serial);
      expect((await looksAt(socket)).inMemory).toEqual(["a.test.cert-sidecar.pem a.test"]);
    });

    test("has a name that moves to another certificate there alone, in memory and on disk", async () => {
      const { target, socket } = await make();
      const both = versionOf("a.test", ["a.test", "www.a.test"]);
      await apply(target, [both], [both]);
      const less = { ...both, identifiers: both.identifiers.slice(0, 1) };
      const www = versionOf("www", ["www.a.test"]);
      expect(await apply(target, [www], [less, www])).toEqual({});
      const lines = ["a.test.cert-sidecar.pem a.test", "www.cert-sidecar.pem www.a.test"];
      expect(await looksAt(socket)).toMatchObject({ inMemory: lines, onDisk: lines });
    });

    test("loses a certificate that is gone, its key too, and nothing while it isn't known which are all", async () => {
      const { target, socket } = await make();
      const [a, b] = [versionOf("a.test", ["a.test"]), versionOf("b.test", ["b.test"])];
      await apply(target, [a, b], [a, b]);
      await apply(target, [a]);
      expect((await looksAt(socket)).onDisk).toHaveLength(2);
      await target.settle?.([b], NEVER, wholeOf([b]));
      const line = "b.test.cert-sidecar.pem b.test";
      const files = ["b.test.cert-sidecar.pem"];
      expect(await looksAt(socket)).toEqual({ inMemory: [line], onDisk: [line], files });
      expect(await askRuntime(socket, "show ssl cert")).not.toContain("a.test");
    });

    test("keeps what is in no state to be served for the moment, but for names that others have now", async () => {
      const { target, socket } = await make();
      const [a, b] = [versionOf("a.test", ["a.test"]), versionOf("b.test", ["b.test", "www.b.test"])];
      expect(await apply(target, [a, b], [a, b])).toEqual({});
      await target.settle?.([a], NEVER, wholeOf([a], ["b.test"]));
      const files = ["a.test.cert-sidecar.pem", "b.test.cert-sidecar.pem"];
      const whole = { ...(await looksAt(socket)), files };
      expect(whole.onDisk).toEqual(["a.test.cert-sidecar.pem a.test", "b.test.cert-sidecar.pem b.test www.b.test"]);
      const www = versionOf("www", ["www.b.test"]);
      await target.apply([www], NEVER, wholeOf([a, www], ["b.test"]));
      const lines = ["a.test", "b.test"].map((name) => `${name}.cert-sidecar.pem ${name}`);
      const expected = [...lines, "www.cert-sidecar.pem www.b.test"];
      expect(await looksAt(socket)).toMatchObject({ inMemory: expected, onDisk: expected });
      const other = versionOf("other", ["b.test"]);
      await target.apply([other], NEVER, wholeOf([a, www, other], ["b.test"]));
      expect((await looksAt(socket)).files).toEqual(
        ["a.test", "other", "www"].map((name) => `${name}.cert-sidecar.pem`),
      );
    });

    test("has a name by its certificate of before as long as it refuses the one that is to have it", async () => {
      const { target, socket } = await make();
      const both = versionOf("a.test", ["a.test", "www.a.test"]);
      const gone = versionOf("gone", ["gone.test", "more.test"]);
      await apply(target, [both, gone], [both, gone]);
      const bad = { pair: async () => ({ ...(await both.pair()), chainPem: "none" }) };
      const [www, more] = [versionOf("www", ["www.a.test"]), versionOf("more", ["more.test"])];
      const all = [{ ...both, identifiers: both.identifiers.slice(0, 1) }, www, more];
      const failures = await apply(
        target,
        [
          { ...www, ...bad },
          { ...more, ...bad },
        ],
        all,
      );
      expect(Object.keys(failures)).toEqual(["www", "more"]);
      const kept = ["a.test.cert-sidecar.pem a.test www.a.test", "gone.cert-sidecar.pem more.test"];
      expect(await looksAt(socket)).toMatchObject({ inMemory: kept, onDisk: kept });
      expect(await apply(target, [www, more], all)).toEqual({});
      const lines = [
        "a.test.cert-sidecar.pem a.test",
        "more.cert-sidecar.pem more.test",
        "www.cert-sidecar.pem www.a.test",
      ];
      const files = lines.map((line) => line.split(" ")[0]);
      const { onDisk: now, ...rest } = await looksAt(socket);
      expect({ ...rest, onDisk: now.sort() }).toEqual({ inMemory: lines, onDisk: lines, files });
    });

    test("keeps its last line, whatever is gone: without one it may not start", async () => {
      const { target, socket } = await make();
      const only = versionOf("a.test", ["a.test"]);
      await apply(target, [only], [only]);
      await target.settle?.([], NEVER, wholeOf([]));
      expect((await looksAt(socket)).onDisk).toEqual(["a.test.cert-sidecar.pem a.test"]);
      expect((await looksAt(socket)).files).toEqual(["a.test.cert-sidecar.pem"]);
      const bad = {
        ...versionOf("b.test", ["b.test"]),
        pair: async () => ({ ...(await only.pair()), chainPem: "none" }),
      };
      expect(Object.keys(await apply(target, [bad], [bad]))).toEqual(["b.test"]);
      const line = "a.test.cert-sidecar.pem a.test";
      expect(await looksAt(socket)).toEqual({ inMemory: [line], onDisk: [line], files: ["a.test.cert-sidecar.pem"] });
    });

    test("gets back what is missing of its files, and lines of an operator's stay where they are", async () => {
      const { target, socket } = await make();
      const [a, b] = [versionOf("a.test", ["a.test"]), versionOf("b.test", ["b.test"])];
      await apply(target, [a, b], [a, b]);
      await writeFile(join(dirname(socket), "crt-list.txt"), "/own/site.pem [alpn h2] own.test\n/own/b.pem\n");
      await rm(join(dirname(socket), "b.test.cert-sidecar.pem"));
      await target.settle?.([a, b], NEVER, wholeOf([a, b]));
      const ours = ["a.test.cert-sidecar.pem a.test", "b.test.cert-sidecar.pem b.test"];
      const expected = { inMemory: ours, onDisk: ["/own/site.pem [alpn h2] own.test", "/own/b.pem", ...ours] };
      expect(await looksAt(socket)).toMatchObject(expected);
      expect(await onDisk(socket, "b.test")).toBe(b.serial);
    });

    test("keeps what it has of a certificate that it refuses, takes the others, and has no transaction left open", async () => {
      const { target, socket } = await make();
      const [a, b] = [versionOf("a.test", ["a.test"]), versionOf("b.test", ["b.test"])];
      await apply(target, [a], [a]);
      const pair = async () => ({ ...(await a.pair()), privateKeyPem: (await b.pair()).privateKeyPem });
      const [bad, worse] = [
        { ...versionOf("a.test", ["a.test", "more.test"]), pair },
        { ...versionOf("c.test", ["c.test"]), pair },
      ];
      const failures = await apply(target, [bad, worse, b], [bad, worse, b]);
      expect(Object.keys(failures)).toEqual(["a.test", "c.test"]);
      expect(failures["a.test"]).toMatch(
        /"commit ssl cert .*a\.test\.cert-sidecar\.pem" and said: inconsistencies between/,
      );
      expect(await serialOf(socket, "a.test")).toBe(a.serial);
      expect(await onDisk(socket, "a.test")).toBe(a.serial);
      const lines = ["a.test.cert-sidecar.pem a.test", "b.test.cert-sidecar.pem b.test"];
      expect(await looksAt(socket)).toMatchObject({ inMemory: lines, onDisk: lines });
      const left = await askRuntime(socket, "show ssl cert");
      expect(left).not.toContain("# transaction");
      expect(left).not.toContain("c.test");
    });

    test("serves no name by a certificate that has addresses alone", async () => {
      const { target, socket } = await make();
      const both = versionOf("by-address", ["192.0.2.1", "a.test"]);
      const addresses = { ...both, identifiers: both.identifiers.filter(({ type }) => type === "ip") };
      expect(await apply(target, [addresses], [addresses])).toEqual({});
      expect((await looksAt(socket)).inMemory).toEqual(["by-address.cert-sidecar.pem !*"]);
    });

    test("has a transaction ended that we have left open, and not one of somebody else's", async () => {
      const { target, socket } = await make();
      const first = versionOf("a.test", ["a.test"]);
      await apply(target, [first], [first]);
      const { chainPem, privateKeyPem } = await first.pair();
      const pem = (chainPem + privateKeyPem).replaceAll(/\n+/g, "\n");
      const leaveOpen = async (path: string) => askRuntime(socket, `set ssl cert ${path} <<\n${pem}`);
      expect(await leaveOpen(`${dirname(socket)}/a.test.cert-sidecar.pem`)).toContain("Transaction created");
      const second = versionOf("a.test", ["a.test"]);
      expect(await apply(target, [second], [second])).toEqual({});
      await askRuntime(socket, "new ssl cert /own/site.pem");
      expect(await leaveOpen("/own/site.pem")).toContain("Transaction created");
      await expect(target.apply([first], NEVER)).rejects.toMatchObject({
        code: "TARGET_TRANSACTION_OPEN",
        message: expect.stringContaining("/own/site.pem"),
      });
      expect(await serialOf(socket, "a.test")).toBe(second.serial);
    });
  });
}
