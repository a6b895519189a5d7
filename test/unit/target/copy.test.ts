import { describe, expect, test } from "vitest";
import { readCopy } from "../../../src/target/copy-label.ts";
import { exec } from "../../../src/target/exec.ts";
import type { TargetKind } from "../../../src/target/kind.ts";
import { nginx } from "../../../src/target/nginx.ts";
import { packPkcs12 } from "../../../src/target/pkcs12.ts";
import { aVersion } from "../../support/a-version.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";
import { applyOne, engineFailed as failed, toldStage } from "../../support/told-stage.ts";

const NEVER = new AbortController().signal;
const PEM = await makeTestCertificate(["DNS:a.test"]);
const VERSION = aVersion(PEM);

const apply = ({ target }: ReturnType<typeof toldStage>) => applyOne(target, VERSION);

describe("the label cert-sidecar.copy", () => {
  const copyOf = (value: string, certificates = "a.test", kind: TargetKind = exec) =>
    readCopy("mail-1", { "cert-sidecar.copy": value, "cert-sidecar.certificates": certificates }, kind);

  test.each([
    ["/etc/tls.pem", [["/etc/tls.pem", "both"]], [0, 0, 0o600]],
    ["/tls.pem mode=0640", [["/tls.pem", "both"]], [0, 0, 0o640]],
    [
      "/a/cert.pem:/b/key.pem  owner=999:33",
      [
        ["/a/cert.pem", "chain"],
        ["/b/key.pem", "key"],
      ],
      [999, 33, 0o600],
    ],
    ["/a/{name}.pem owner=1:2 mode=0440", [["/a/{name}.pem", "both"]], [1, 2, 0o440]],
    [
      " /{name}/c.pem:/{name}/k.pem",
      [
        ["/{name}/c.pem", "chain"],
        ["/{name}/k.pem", "key"],
      ],
      [0, 0, 0o600],
    ],
  ] as const)("%j is read", (value, files, [uid, gid, mode]) => {
    const expected = files.map(([path, holds]) => ({ path, holds }));
    expect(copyOf(value)).toEqual({ files: expected, uid, gid, mode });
  });

  test.each([
    ["/a.p12 password=changeit", "/a.p12", "changeit"],
    ["/{name}.PFX owner=1:2 password=a:b=c$d mode=0400", "/{name}.PFX", "a:b=c$d"],
  ])("%j is read, as PKCS #12", (value, path, password) => {
    expect(copyOf(value)?.files).toEqual([{ path, holds: "pkcs12", password }]);
  });

  test.each([
    "",
    "tls.pem",
    "./tls.pem",
    "/",
    "/etc/",
    "/etc//tls.pem",
    "/etc/../tls.pem",
    "/etc/./tls.pem",
    "/etc/a b.pem",
    "/etc/tls.pem:",
    ":/etc/tls.pem",
    "/a:/a",
    "/a:/b:/c",
    "/a;b",
    "/a*",
    "/{x}.pem",
    "/proc/1/x",
    "/sys/x",
    "/dev/shm/x",
    "/a mode=0644",
    "/a mode=600",
    "/a mode=0777",
    "/a owner=root:root",
    "/a owner=1",
    "/a owner=9999999:1",
    "/a 0600",
    "/a mode=0600 mode=0640",
    "/a\u0000b",
    "/a.p12",
    "/a.pfx mode=0400",
    "/a.pem password=x",
    "/c.pem:/k.pem password=x",
    "/c.pem:/k.p12 password=x",
    "/c.p12:/k.pem",
    "/a.p12 password=",
    "/a.p12 password=x password=y",
    "/a.p12 password=\u00e4",
  ])("%j is a mistake, and what is allowed is said", (value) => {
    expect(() => copyOf(value)).toThrow(
      expect.objectContaining({ code: "TARGET_LABEL_INVALID", remedy: expect.stringContaining("CHAIN:KEY") }),
    );
  });

  test.each(["/a.p12 password=s3cret mode=0644", "/a.pem password=s3cret", "/a.p12 pass=s3cret", "/a.p12 =s3cret"])(
    "%j is told without the password",
    (value) => {
      expect(() => copyOf(value)).toThrow(
        expect.objectContaining({
          message: expect.not.stringContaining("s3cret"),
          remedy: expect.stringContaining("password="),
        }),
      );
    },
  );

  test("is told with all else that is in it", () => {
    expect(() => copyOf("/a.p12 password=x owner=me mode=7")).toThrow(
      'cert-sidecar.copy="/a.p12 password=[redacted] owner=me mode=7"',
    );
  });

  test.each(["*", "a.test,b.test"])(
    "one path for several certificates (%s) is a mistake: none of them is guessed",
    (names) => {
      const mistake = expect.objectContaining({
        remedy: expect.stringMatching(/cert-sidecar\.certificates.*\{name\}/),
      });
      expect(() => copyOf("/tls.pem", names)).toThrow(mistake);
      expect(() => copyOf("/{name}/cert.pem:/key.pem", names)).toThrow(mistake);
      expect(copyOf("/{name}.pem", names)?.files).toHaveLength(1);
    },
  );

  test("is nothing for what reads our files itself", () => {
    expect(() => copyOf("/tls.pem", "a.test", nginx)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining("Set the label cert-sidecar.deploy, too") }),
    );
  });
});

describe("a copy", () => {
  const labels = { "cert-sidecar.copy": "/etc/{name}.pem" };
  const pair = { "cert-sidecar.copy": "/etc/c.pem:/run/k.pem", "cert-sidecar.certificates": "a.test" };
  const [key, chain] = [`${PEM.keyPem.trim()}\n`, `${PEM.certificatePem.trim()}\n`];

  test("is put beside its place, renamed, and only then told of; key and chain have no blank line between", async () => {
    const stage = toldStage(exec, "postfix reload", { labels });
    expect(await apply(stage)).toBeUndefined();
    expect([...stage.files]).toEqual([["/etc/a.test.pem", key + chain]]);
    expect(stage.ran).toEqual(["unpack /etc/", "/etc/a.test.pem", "reload"]);
  });

  test("of two files has both there before either is renamed", async () => {
    const stage = toldStage(exec, "postfix reload", { labels: pair });
    expect(await apply(stage)).toBeUndefined();
    expect(Object.fromEntries(stage.files)).toEqual({ "/etc/c.pem": chain, "/run/k.pem": key });
    expect(stage.ran).toEqual(["unpack /etc/", "unpack /run/", "/etc/c.pem", "/run/k.pem", "reload"]);
  });

  test("in PKCS #12 is called as its certificate is, and is known again whoever looks", async () => {
    const labels = { "cert-sidecar.copy": "/etc/{name}.p12 password=changeit" };
    const stage = toldStage(exec, "postfix reload", { labels });
    expect(await apply(stage)).toBeUndefined();
    const { target, files } = toldStage(exec, "postfix reload", { labels });
    const seen = async () => (await target.keeps?.(VERSION, NEVER))?.kind;
    expect(await seen()).toBe("not-served");
    for (const [path, content] of stage.files) files.set(path, content);
    expect(await seen()).toBe("served");
    const parts = { privateKeyPem: PEM.keyPem, chainPem: PEM.certificatePem, name: "a.test", password: "changeit" };
    expect([...files]).toEqual([["/etc/a.test.p12", packPkcs12(parts).toString("latin1")]]);
  });

  test("is seen to be there, to be another one, and to be gone", async () => {
    const { target, files } = toldStage(exec, "postfix reload", { labels: pair });
    const seen = async () => (await target.keeps?.(VERSION, NEVER))?.kind;
    expect(await seen()).toBe("not-served");
    await target.apply([VERSION], NEVER);
    expect(await seen()).toBe("served");
    files.set("/run/k.pem", "another key");
    expect(await target.keeps?.(VERSION, NEVER)).toMatchObject({
      message: "/run/k.pem in mail-1 is not what is on disk here",
    });
    const unreadable = { ...VERSION, pair: () => Promise.reject(new Error("the disk is gone")) };
    expect(await target.keeps?.(unreadable, NEVER)).toMatchObject({ kind: "not-served", message: "the disk is gone" });
  });

  test.each([
    ["the engine can't write there", { "/etc/": failed("mounted volume is marked read-only", 500) }, /read-only/],
    ["there is no such folder", { "/etc/": failed("Could not find the file /etc/", 404) }, /Could not find/],
    ["a tmpfs hides it", { "/etc/a.test.pem": { exitCode: 1, stderr: "mv: cannot stat" } }, /: mv: cannot stat$/],
    [
      "there is no mv",
      { "/etc/a.test.pem": { exitCode: 127, stdout: "no such file" } },
      /the image has no mv: no such file$/,
    ],
  ])(
    "that can't be put there, as %s, is a failure of its certificate, and nobody is told",
    async (_, ends, message) => {
      const stage = toldStage(exec, "postfix reload", { labels, ends });
      expect(await apply(stage)).toMatchObject({ code: "TARGET_COPY_FAILED", message: expect.stringMatching(message) });
      expect(stage.ran).not.toContain("reload");
    },
  );

  test("that fails keeps none of the others", async () => {
    const stage = toldStage(exec, "postfix reload", { labels, ends: { "/etc/b.test.pem": { exitCode: 1 } } });
    const failures = await stage.target.apply([{ ...VERSION, lineage: "b.test" }, VERSION], NEVER);
    expect([...failures.keys()]).toEqual(["b.test"]);
    expect(stage.files.has("/etc/a.test.pem")).toBe(true);
    expect(stage.ran.at(-1)).toBe("reload");
  });

  test.each(["created", "exited", "restarting"])(
    "is laid into a container that is %s, and nobody is told",
    async (status) => {
      const stage = toldStage(exec, "postfix reload", {
        labels: pair,
        containers: [inspectedContainer({ id: "a", status })],
      });
      expect(await apply(stage)).toBeUndefined();
      expect(stage.ran).toEqual(["unpack /etc/", "unpack /run/"]);
      expect(Object.fromEntries(stage.files)).toEqual({ "/etc/c.pem": chain, "/run/k.pem": key });
      expect((await stage.target.keeps?.(VERSION, NEVER))?.kind).toBe("served");
    },
  );

  test.each([
    ["is gone", failed("is not running", 409)],
    ["ends with the command", { exitCode: 137 }],
  ])("is laid there where the container runs for a moment only, and %s", async (_, end) => {
    const stage = toldStage(exec, "postfix reload", {
      labels,
      ends: { "/etc/a.test.pem": end, reload: failed("gone", 409) },
    });
    expect(await apply(stage)).toMatchObject({ code: "TARGET_NOT_RUNNING" });
    expect(stage.files.get("/etc/a.test.pem")).toBe(key + chain);
  });

  test("is told of where the container has started meanwhile", async () => {
    const containers = [inspectedContainer({ id: "a", status: "exited" })];
    const stage = toldStage(exec, "postfix reload", { labels: pair, containers, laterStatus: "running" });
    expect(await apply(stage)).toBeUndefined();
    expect(stage.ran.at(-1)).toBe("reload");
  });

  test("of a name that is too long, or that can't be written, is a failure where the container doesn't run, too", async () => {
    const containers = [inspectedContainer({ id: "a", status: "exited" })];
    const long = { ...pair, "cert-sidecar.copy": `/etc/${"x".repeat(101)}` };
    expect(await apply(toldStage(exec, "x", { labels: long, containers }))).toMatchObject({
      code: "TARGET_COPY_FAILED",
    });
    const ends = { "/etc/": failed("cannot overwrite directory with non-directory", 400) };
    expect(await apply(toldStage(exec, "x", { labels, containers, ends }))).toMatchObject({
      code: "TARGET_COPY_FAILED",
    });
  });
});
