import { createPrivateKey, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isDiskSettled, servedByCa, settledLeaf, settledLeafAt } from "./support/issued.ts";
import { diskLeaf, isDiskServed, leafAt } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

// Without the start event the sidecar would look again in ten minutes at the earliest.
const SOON_MS = 60_000;

let stack: Stack;

beforeAll(async () => {
  // Valid authorizations are found again: a renewal needs no challenge, and so no nginx.
  // The schedule is far away, so that nothing but what is tested here can set something right.
  stack = await createStack({ env: { CERTBOT_SCHEDULE: "0 0 1 1 *" }, authorizationReusePercent: 100 });
  await stack.up();
  await servedByCa(stack);
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

describe("nginx that is away during a renewal", () => {
  test("stopped: the command says so and fails, and the version is served and known as served soon after the start, with no further order", async () => {
    await stack.composeOk("stop", "nginx");
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stdout).toMatch(/^demo\.test: renewed for demo\.test, /m);
    expect(renewal.stderr).toContain("nginx-1 is stopped (exit code 0) [TARGET_NOT_RUNNING]");
    expect(renewal.stderr).toContain(
      "what to do: Run docker compose up -d nginx; the certificate is deployed by itself",
    );
    expect(renewal.code).toBe(1);

    const orders = await stack.orders();
    await stack.composeOk("start", "nginx");
    await toldServed(await diskLeaf(stack));
    await until("status says that all is well", async () =>
      (await stack.certbot("status")).code === 0 ? true : undefined,
    );
    expect(await isDiskSettled(stack)).toBe(true);
    expect(await stack.orders()).toBe(orders);
  });

  // Unlike one that was stopped it comes back with the old certificate in memory: it must be reloaded.
  test("paused: it is reloaded soon after it goes on, and not restarted", async () => {
    const startedAt = await stack.inspect("nginx", "{{.State.StartedAt}}");
    await stack.composeOk("pause", "nginx");
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stderr).toContain("nginx-1 is paused [TARGET_NOT_RUNNING]");
    expect(renewal.stderr).toContain("what to do: Run docker compose unpause nginx;");
    expect(renewal.code).toBe(1);

    const orders = await stack.orders();
    await stack.composeOk("unpause", "nginx");
    await toldServed(await diskLeaf(stack));
    expect(await isDiskSettled(stack)).toBe(true);
    expect(await stack.inspect("nginx", "{{.State.StartedAt}}")).toBe(startedAt);
    expect(await stack.orders()).toBe(orders);
  });
});

describe("a configuration that nginx refuses", () => {
  test("for a foreign reason: the renewal fails with nginx's own words, the old certificate goes on, and once it is mended the new one is deployed with no further order", async () => {
    const before = await diskLeaf(stack);
    const versions = await currentVersion();
    await inNginx("echo 'colour green;' >/etc/nginx/conf.d/broken.conf");
    try {
      const renewal = await stack.certbot("update-cert", "--force-renewal");
      expect(renewal.stderr).toContain('unknown directive "colour" in /etc/nginx/conf.d/broken.conf:1');
      expect(renewal.stderr).toContain("demo.test: nginx-1 does NOT serve it");
      expect(renewal.stderr).toContain("what to do: Mend what nginx-1 complains about");
      expect(renewal.code).toBe(1);

      expect((await settledLeaf(stack)).fingerprint256).toBe(before.fingerprint256);
      expect(await currentVersion()).toBe(versions + 1);
      for (const version of [versions, versions + 1]) expect(await isPair(version)).toBe(true);
      const status = await stack.certbot("status");
      expect(status.stdout).toContain("nginx-1: does NOT serve it");
      expect(status.code).toBe(1);
    } finally {
      await inNginx("rm -f /etc/nginx/conf.d/broken.conf");
    }
    const orders = await stack.orders();
    const update = await stack.certbot("update-cert");
    expect(update.stdout).toContain("demo.test: nginx-1 serves it");
    expect(update.code).toBe(0);
    expect(await isDiskSettled(stack)).toBe(true);
    expect(await stack.orders()).toBe(orders);
  });

  // A server of the operator's own that reads our certificate with a copied key: right until the key changes.
  test("because of our new version: the version before is put back and goes on, and once nginx is mended the new one is served with no further order", async () => {
    const before = await diskLeaf(stack);
    const version = await currentVersion();
    const archive = "/etc/letsencrypt/archive/demo.test";
    const pinned = `server { listen 8443 ssl; ssl_certificate /etc/letsencrypt/live/demo.test/fullchain.pem; ssl_certificate_key ${archive}/privkey${version}.pem; }`;
    await inNginx(`echo '${pinned}' >/etc/nginx/conf.d/pinned.conf`);
    try {
      const renewal = await stack.certbot("update-cert", "--force-renewal");
      expect(renewal.stdout).toContain(`demo.test: version ${version + 1} is put back to the one before`);
      expect(renewal.stderr).toContain("key values mismatch");
      expect(renewal.stderr).toContain("[TARGET_CERTIFICATE_REJECTED]");
      expect(renewal.code).toBe(1);

      expect(await currentVersion()).toBe(version);
      expect((await diskLeaf(stack)).fingerprint256).toBe(before.fingerprint256);
      expect((await settledLeaf(stack)).fingerprint256).toBe(before.fingerprint256);
      expect(await isPair(version + 1)).toBe(true);

      const again = await stack.certbot("update-cert");
      expect(again.stdout).toContain(`demo.test: version ${version + 1} is shown again, nothing was ordered`);
      expect(again.stderr).toContain("[TARGET_CERTIFICATE_REJECTED]");
      expect(again.code).toBe(1);
      expect(await currentVersion()).toBe(version);
    } finally {
      await inNginx("rm -f /etc/nginx/conf.d/pinned.conf");
    }
    const orders = await stack.orders();
    const update = await stack.certbot("update-cert");
    expect(update.code).toBe(0);
    expect(await currentVersion()).toBe(version + 1);
    expect(await isDiskSettled(stack)).toBe(true);
    expect(await stack.orders()).toBe(orders);
  });
});

describe("nginx in another container than before", () => {
  test.each([
    ["restarted", ["restart", "nginx"]],
    ["made anew", ["up", "-d", "--no-build", "--no-deps", "--force-recreate", "nginx"]],
  ])("%s: it serves what is on disk, and the next renewal reaches it", async (_name, command) => {
    const before = await stack.inspect("nginx", "{{.Id}} {{.State.StartedAt}}");
    await stack.composeOk(...command);
    expect(await stack.inspect("nginx", "{{.Id}} {{.State.StartedAt}}")).not.toBe(before);
    await until("it serves what is on disk", async () => ((await isDiskServed(stack)) ? true : undefined), SOON_MS);

    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stdout).toContain("demo.test: nginx-1 serves it");
    expect(renewal.code).toBe(0);
    expect(await isDiskSettled(stack)).toBe(true);
  });

  test("two replicas: a renewal is deployed to each of them", async () => {
    // Two containers can't have one port of this machine.
    await stack.layOver("services:\n  nginx:\n    ports: !override ['127.0.0.1::443']\n");
    await stack.composeOk("up", "-d", "--no-build", "--no-deps", "--scale", "nginx=2", "nginx");
    const [first, second] = await Promise.all([tlsPort(1), tlsPort(2)]);
    await until("both serve what is on disk", async () => {
      const { fingerprint256 } = await diskLeaf(stack);
      const leaves = await Promise.all([leafAt(first), leafAt(second)]);
      return leaves.every((leaf) => leaf.fingerprint256 === fingerprint256) ? true : undefined;
    });

    const before = await diskLeaf(stack);
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stdout).toContain("demo.test: nginx-1 serves it");
    expect(renewal.stdout).toContain("demo.test: nginx-2 serves it");
    expect(renewal.code).toBe(0);
    const after = await diskLeaf(stack);
    expect(after.fingerprint256).not.toBe(before.fingerprint256);
    for (const port of [first, second]) expect((await settledLeafAt(port)).fingerprint256).toBe(after.fingerprint256);
  });
});

/** Waits until the sidecar says that it has seen this very certificate served; tells how long that took. */
async function toldServed({ fingerprint256 }: X509Certificate): Promise<void> {
  const startedAt = Date.now();
  await until(
    "the sidecar says that the new version is served",
    async () =>
      (await stack.events()).some(
        ({ event, fingerprint }) => event === "target.served" && fingerprint === fingerprint256,
      )
        ? true
        : undefined,
    SOON_MS,
  );
  console.info(`seen served ${Date.now() - startedAt} ms after nginx came back`);
}

async function inNginx(script: string): Promise<void> {
  await stack.composeOk("exec", "-T", "nginx", "sh", "-c", script);
}

/** The version that `live` shows: certbot's `cert3.pem` is version 3. */
async function currentVersion(): Promise<number> {
  const { stdout } = await stack.certbot("readlink", "-f", "/etc/letsencrypt/live/demo.test/cert.pem");
  return Number(/cert(\d+)\.pem\s*$/.exec(stdout)?.[1]);
}

async function isPair(version: number): Promise<boolean> {
  const folder = ["archive", "demo.test"];
  const leaf = new X509Certificate(await stack.readConf(...folder, `fullchain${version}.pem`));
  return leaf.checkPrivateKey(createPrivateKey(await stack.readConf(...folder, `privkey${version}.pem`)));
}

async function tlsPort(replica: number): Promise<number> {
  const address = await stack.composeOk("port", "--index", String(replica), "nginx", "443");
  return Number(address.trim().replace(/^.*:/, ""));
}
