import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askedWhenToRenew } from "./support/idle.ts";
import { daemonAnswers } from "./support/daemon.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { reloads } from "./support/reloads.ts";
import { diskLeaf } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { treeSnapshot } from "./support/tree-snapshot.ts";

// One stack, lived with in this order: first without its CA, so that there is something to complain of.
let stack: Stack;

beforeAll(async () => {
  stack = await createStack();
  await stack.up("nginx", "certbot");
  await daemonAnswers(stack);
});

afterAll(() => stack?.remove());

describe("while no certificate could be had yet", () => {
  test("update-cert ends with 1 and says why, and what to do", async () => {
    const { code, stdout, stderr } = await stack.certbot("update-cert");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^demo\.test: FAILED, next try by itself .+ UTC$/m);
    expect(stderr).toMatch(/pebble.+\[[A-Z_]+\]\n {2}what to do: [A-Z]/);
  });

  test("certificates and status end with 1 and show what is missing", async () => {
    const listed = await stack.certbot("certificates");
    expect(listed).toMatchObject({ code: 1, stdout: expect.stringContaining("not on disk yet") });
    const { code, stdout } = await stack.certbot("status");
    expect(code).toBe(1);
    expect(stdout).toContain("on disk: nothing yet");
    expect(stdout).toMatch(/next: another try .+ UTC \(missing\)\n {2}failures in a row: [1-9]\d*; the last: .*pebble/);
    const health = await stack.certbot("healthcheck");
    expect(health).toMatchObject({ code: 1, stdout: expect.stringContaining("demo.test has no certificate") });
  });

  test("update-cert doesn't wait for the back-off: it acts as soon as the cause is mended", async () => {
    await stack.up("pebble");
    const outcome = await until("update-cert gets a certificate", async () => {
      const tried = await stack.certbot("update-cert");
      return tried.code === 0 ? tried : undefined; // The CA takes a moment to listen.
    });
    expect(outcome.stdout).toMatch(/^demo\.test: issued for demo\.test, valid until /m);
    expect((await servedByCa(stack)).fingerprint256).toBe((await diskLeaf(stack)).fingerprint256);
    expect(await stack.certbot("healthcheck")).toMatchObject({ code: 0, stdout: "healthy\n" });
  });
});

describe("once it is served", () => {
  test("certificates lists what is on disk", async () => {
    const leaf = await diskLeaf(stack);
    const { code, stdout, stderr } = await stack.certbot("certificates");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Certificate Name: demo\.test\n {2}Domains: demo\.test\n {2}Expiry: valid until /);
    expect(stdout).toMatch(/Expiry: .+ \(89 days left\)$/m);
    expect(stdout).toContain(`serial ${leaf.serialNumber}, issued by Pebble Intermediate`);
    expect(stdout).toContain("/etc/letsencrypt/live/demo.test/fullchain.pem");
    const document = JSON.parse((await stack.certbot("certificates", "--json")).stdout);
    expect(document.certificates).toMatchObject([
      {
        lineage: "demo.test",
        fingerprint: leaf.fingerprint256,
        isGood: true,
        directoryUrl: "https://pebble:14000/dir",
      },
    ]);
  });

  test("status says what comes next and what nginx serves, and ends with 1 when nginx is down", async () => {
    await askedWhenToRenew(stack);
    const { code, stdout, stderr } = await stack.certbot("status");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^demo\.test\n {2}names: demo\.test\n {2}on disk: version 1, valid until /);
    expect(stdout).toMatch(/^ {2}from: Pebble Intermediate CA .+ at https:\/\/pebble:14000\/dir$/m);
    expect(stdout).toMatch(/^ {2}next: renewal .+ UTC, as the CA suggests$/m);
    expect(stdout).toContain("\n  nginx-1: serves this version\n");
    expect(stdout).toMatch(/^daemon: next check .+ UTC; healthy$/m);
    const document = JSON.parse((await stack.certbot("status", "--json")).stdout);
    expect(document).toMatchObject({ isGood: true, daemon: { isHealthy: true } });
    expect(document.certificates[0].targets).toEqual([{ name: "nginx-1", finding: { kind: "served" } }]);
    try {
      await stack.composeOk("stop", "nginx");
      const down = await stack.certbot("status");
      expect(down.code).toBe(1);
      expect(down.stdout).toMatch(/nginx[^]+what to do: /);
      expect(JSON.parse((await stack.certbot("status", "--json")).stdout)).toMatchObject({ isGood: false });
    } finally {
      await stack.composeOk("start", "nginx");
    }
    const isGood = async () => ((await stack.certbot("status")).code === 0 ? true : undefined);
    await until("status is content again", isGood);
  });

  test("--json prints one document on stdout, and the steps on stderr", async () => {
    const { code, stdout, stderr } = await stack.certbot("update-cert", "--force-renewal", "--json");
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    const { fingerprint256 } = await settledLeaf(stack);
    expect(report.certificates).toMatchObject([
      { lineage: "demo.test", outcome: "renewed", fingerprint: fingerprint256 },
    ]);
    expect(report).toMatchObject({ reached: true, deploys: [{ target: "nginx-1", outcome: "deployed" }] });
    expect(stderr).toContain("demo.test: order placed\n");
    await askedWhenToRenew(stack); // What the daemon does by itself is done.
    const idle = await stack.certbot("update-cert", "--json");
    expect(idle.stderr).toBe("");
    expect(JSON.parse(idle.stdout)).toMatchObject({ reached: true, certificates: [{ outcome: "not-due" }] });
  });

  test("update-cert --dry-run places an order, proves the names and leaves no trace", async () => {
    await askedWhenToRenew(stack); // What the daemon does by itself is done.
    const look = async () => ({
      tree: await treeSnapshot(join(stack.folder, "volumes/certbot")),
      served: (await settledLeaf(stack)).fingerprint256,
      reloads: await reloads(stack),
    });
    const [before, orders] = [await look(), await stack.orders()];
    expect(Object.keys(before.tree)).toContain("conf/live/demo.test");
    const { code, stdout } = await stack.certbot("update-cert", "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^demo\.test: the CA has seen the proof$/m);
    expect(stdout).toMatch(/^demo\.test: the rehearsal passed; nothing was changed$/m);
    expect(await look()).toEqual(before);
    expect(await stack.orders()).toBe(orders + 1);
  });

  test("/update-cert.sh, the old path, ends with the two lines that scripts look for, and passes on a failure", async () => {
    const good = await stack.certbot("/bin/sh", "/update-cert.sh");
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(
      /^demo\.test: not due[^]+\nCertificate operation successful\nPlease ensure to reload Nginx to apply any certificate changes\..*\n$/,
    );
    const bad = await stack.certbot("/bin/sh", "/update-cert.sh", "--nonsense");
    expect(bad).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("--nonsense") });
  });

  test("a mistake of usage ends with 2 and is named, and no order goes out", async () => {
    const orders = await stack.orders();
    for (const [named, ...words] of [
      ["--nonsense", "update-cert", "--nonsense"],
      ["demo.test", "update-cert", "demo.test"],
      ["--cert-name", "update-cert", "--cert-name"],
      ["Use one of: demo.test", "update-cert", "--force-renewal", "--cert-name", "other.test"],
      ["--server", "update-cert", "--force-renewal", "--server", "https://other.test/dir"],
      ["--all", "certificates", "--all"],
      ["demo.test", "status", "demo.test"],
      ["bogus", "cert-sidecar", "bogus"],
      ["Usage: cert-sidecar", "cert-sidecar"],
    ] as const) {
      const stderr = expect.stringContaining(named);
      expect({ words, ...(await stack.certbot(...words)) }).toEqual({ words, code: 2, stdout: "", stderr });
    }
    expect(await stack.orders()).toBe(orders);
  });

  test("commands work without -T and a terminal, with stdin closed, and with their output cut off", async () => {
    const [plain, id] = await Promise.all([stack.compose("exec", "certbot", "status"), stack.container("certbot")]);
    expect(plain).toMatchObject({ code: 0, stdout: expect.stringContaining("nginx-1: serves this version") });
    const closed = await stack.shell(`docker exec ${id} update-cert <&-`);
    expect(closed).toMatchObject({ code: 0, stdout: expect.stringContaining("demo.test: not due") });
    const detached = await stack.shell(`docker exec ${id} sh -c 'update-cert <&- 2>&1 | head -c 4; exit 0'`);
    expect(detached).toMatchObject({ code: 0, stdout: "demo", stderr: "" });
  });
});
