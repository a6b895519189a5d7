import { X509Certificate } from "node:crypto";
import { cp, mkdir, readFile, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { NginxStage, OUR_NGINX_FOLDER, type NginxOptions } from "../support/nginx-container.ts";
import { poll } from "../support/poll.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { makeTestCertificate, type TestCertificate } from "../support/test-ca.ts";

const ENVIRONMENT = { CERTBOT_DEPLOY: "nginx:watch", CERTBOT_DOMAIN: "shop.test" };
// In place of two seconds, and of ten until what was refused is tried again.
const ROUND_S = 0.5;
const OUR_WORDS = /cert-sidecar: .*/g;
const REFUSED = /nginx goes on with the certificates that it has until this is mended: .*/g;

const after = (beforeS: number, atS: number) => (atS > beforeS + 2 ? atS : undefined);

/** A copy of our nginx folder that looks more often. */
async function hurriedFolder(): Promise<string> {
  const folder = join(await temporaryFolder(), "nginx");
  await cp(OUR_NGINX_FOLDER, folder, { recursive: true });
  const file = join(folder, "lib/watch.sh");
  const text = await readFile(file, "utf8");
  expect(text).toMatch(/^WATCH_EVERY_S=2$/m);
  await writeFile(file, text.replace(/^WATCH_EVERY_S=2$/m, `WATCH_EVERY_S=${ROUND_S}`));
  return folder;
}

describe("nginx that watches its certificates", () => {
  const stage = new NginxStage();
  let pairs: readonly TestCertificate[];
  let published = 0;

  const start = async (options: NginxOptions) => stage.start({ nginxFolder: await hurriedFolder(), ...options });

  beforeAll(async () => {
    pairs = await Promise.all([1, 2, 3].map(() => makeTestCertificate(["DNS:shop.test"])));
  });

  /** One of the pairs; with another's key, too. */
  const pairOf = (number: number, keyOf = number): TestCertificate => {
    const [pair, other] = [pairs[number], pairs[keyOf]];
    if (!pair || !other) throw new Error(`there is no pair ${number}`);
    return { ...pair, keyPem: other.keyPem };
  };

  // As the store does: by one rename of a link.
  const publish = async ({ certificatePem, keyPem }: TestCertificate, lineage = "shop.test") => {
    published += 1;
    const folder = `.${lineage}.${published}`;
    const live = join(stage.folders.letsencrypt, "live");
    await mkdir(join(live, folder), { recursive: true });
    await writeFile(join(live, folder, "fullchain.pem"), certificatePem);
    await writeFile(join(live, folder, "privkey.pem"), keyPem, { mode: 0o600 });
    await symlink(folder, join(live, ".next"));
    await rename(join(live, ".next"), join(live, lineage));
  };

  // By somebody who keeps times, in the folder behind the link: neither of the folders that the sidecar writes into is changed.
  const putBack = async ({ certificatePem, keyPem }: TestCertificate) => {
    const live = join(stage.folders.letsencrypt, "live/shop.test");
    for (const [file, text] of [
      ["privkey.pem", keyPem],
      ["fullchain.pem", certificatePem],
    ] as const) {
      await writeFile(join(live, "put-back"), text);
      await utimes(join(live, "put-back"), new Date("2026-01-01"), new Date("2026-01-01"));
      await rename(join(live, "put-back"), join(live, file));
    }
  };

  const served = async (host = "shop.test") => (await stage.nginx.https("/", { host })).certificate;
  const isServed = async ({ certificatePem }: TestCertificate, host?: string) =>
    (await served(host))?.fingerprint256 === new X509Certificate(certificatePem).fingerprint256;
  const untilServed = (pair: TestCertificate, host?: string) =>
    poll("nginx serves the pair", () => isServed(pair, host), 60_000);
  const said = async (pattern: RegExp) => (await stage.nginx.log()).match(pattern) ?? [];
  const inNginx = (line: string) => stage.nginx.exec("sh", "-c", line);
  const zombies = () => inNginx("grep -ls '^State:.Z' /proc/[0-9]*/status || true");
  /** Numbers of the processes that run our entrypoint: the watcher, once nginx has taken its shell's place. */
  const watchers = async () => {
    const found = await inNginx("grep -ls '/nginx/[e]ntrypoint' /proc/[0-9]*/cmdline || true");
    return [...found.matchAll(/\/proc\/(\d+)\//g)].map(([, id = ""]) => id);
  };

  test("a first certificate, a renewal and a pair put back with old times are served with no exec and no restart", async () => {
    await start({ env: ENVIRONMENT });
    const [first, second, third] = [pairOf(0), pairOf(1), pairOf(2)];
    expect((await served())?.subject).toContain("PLACEHOLDER for shop.test");
    await stage.folders.putList("shop.test default real shop.test\n");
    await publish(first);
    await untilServed(first);
    await publish(second);
    await untilServed(second);
    await putBack(third);
    await untilServed(third);
    expect(await said(/certificate shop\.test: served from/g)).toHaveLength(1);
    expect(await docker("inspect", "-f", "{{.RestartCount}}", stage.nginx.name)).toBe("0");
  });

  test("nothing but a sleep is forked and nothing is said while nothing changes", async () => {
    await start({ env: ENVIRONMENT });
    await publish(pairOf(0));
    await untilServed(pairOf(0));
    await poll("it has said so", async () => (await said(OUR_WORDS)).some((line) => line.includes("takes over the")));
    const before = await said(OUR_WORDS);
    // The time and the number of a new process, before and after one sleep of ours.
    const read = "read t _ </proc/uptime; true & echo $t $!";
    const lines = await inNginx(`${read}; sleep ${8 * ROUND_S}; ${read}`);
    const [begunAt = 0, begunWith = 0, endedAt = 0, endedWith = 0] = lines.split(/\s+/).map(Number);
    const forked = endedWith - begunWith - 2;
    expect(forked).toBeGreaterThan(0);
    // One sleep of ours, and one a round; a look for each of them would be as many again.
    expect(forked).toBeLessThanOrEqual(4 + (endedAt - begunAt) / ROUND_S);
    expect(await said(OUR_WORDS)).toEqual(before);
  });

  test("for a version that nginx refuses the one before stands in, so that all others are taken over", async () => {
    await stage.folders.putList("shop.test default real shop.test\napi.test - real api.test\n");
    await publish(pairOf(0));
    await publish(pairOf(0), "api.test");
    await start({ env: ENVIRONMENT });
    await untilServed(pairOf(0));
    const before = published - 1;
    await publish(pairOf(1, 2));
    await publish(pairOf(1), "api.test");
    await untilServed(pairOf(1), "api.test");
    expect(await isServed(pairOf(0))).toBe(true);
    expect((await stage.nginx.http("/", { host: "shop.test" })).status).toBe(301);
    const words = `certificate shop.test: stands in: /etc/letsencrypt/live/.shop.test.${before}/fullchain.pem, the one before, because nginx refuses /etc/letsencrypt/live/shop.test/fullchain.pem with its key: `;
    expect((await said(OUR_WORDS)).filter((line) => line.includes(words))).toHaveLength(1);
    await stage.nginx.restart();
    await untilServed(pairOf(0));
    expect(await said(REFUSED)).toEqual([]);
    await publish(pairOf(2));
    await untilServed(pairOf(2));
    await publish(pairOf(0));
    await untilServed(pairOf(0));
  });

  test("a pair that nginx refuses with no version before leaves what it has, is told once, and what is mended is taken over", async () => {
    await stage.folders.putPair("shop.test", pairOf(0).certificatePem, pairOf(0).keyPem);
    await start({ env: ENVIRONMENT });
    await untilServed(pairOf(0));
    await putBack(pairOf(1, 2));
    const told = await poll("the refusal is told", async () => (await said(REFUSED))[0], 60_000);
    expect(told).toContain("key values mismatch");
    // Each test leaves its time there. When a second one has begun, the first has had its say.
    const testedAtS = async () => Number(await inNginx("stat -c %Y /etc/nginx"));
    const refusedAtS = await testedAtS();
    const retryAtS = await poll("it is tried again", async () => after(refusedAtS, await testedAtS()), 60_000);
    await poll("it is tried once more", async () => after(retryAtS, await testedAtS()), 60_000);
    expect(await isServed(pairOf(0))).toBe(true);
    const tellings = (await said(REFUSED)).length;
    await putBack(pairOf(1));
    await untilServed(pairOf(1));
    expect(await said(REFUSED)).toHaveLength(tellings);
    expect(tellings).toBeLessThanOrEqual(2);
  });

  test("what nginx refuses for another reason is tried again until that is mended, with nothing written in our folder", async () => {
    await writeFile(join(stage.folders.confD, "own.conf"), "server { listen 8080; }");
    await start({ env: ENVIRONMENT, docker: ["-v", `${stage.folders.confD}:/etc/nginx/conf.d:ro`] });
    await writeFile(join(stage.folders.confD, "own.conf"), "server { no-such-word; }");
    await publish(pairOf(0));
    const told = await poll("the refusal is told", async () => (await said(REFUSED))[0], 60_000);
    expect(told).toMatch(/nginx refuses its configuration: .*no-such-word.*own\.conf/);
    await writeFile(join(stage.folders.confD, "own.conf"), "server { listen 8080; }");
    await untilServed(pairOf(0));
  });

  test("nginx waits for its children, stops by itself when it is told to, and watches again after a restart", async () => {
    await start({ env: ENVIRONMENT });
    await publish(pairOf(0));
    await untilServed(pairOf(0));
    expect(await zombies()).toBe("");
    await stage.nginx.restart();
    await publish(pairOf(1));
    await untilServed(pairOf(1));
    const [watcher = "none", ...others] = await watchers();
    expect(others).toEqual([]);
    await inNginx(`kill -KILL ${watcher}`);
    await poll("the watcher is gone", async () => (await watchers()).length === 0);
    await poll("nobody waits for its end any more", async () => (await zombies()) === "");
    await start({ env: ENVIRONMENT });
    await docker("stop", "-t", "60", stage.nginx.name);
    // One that has to be killed ends with 137.
    expect(await docker("inspect", "-f", "{{.State.ExitCode}}", stage.nginx.name)).toBe("0");
  });

  test("a watch that ends for want of processes says what to do", async () => {
    await start({ env: ENVIRONMENT });
    await docker("update", "--pids-limit", "2", stage.nginx.name);
    const told = async () => (await said(OUR_WORDS)).find((line) => line.includes("any more: restart its container"));
    await poll("it says so", told, 60_000);
    expect((await served())?.subject).toContain("PLACEHOLDER");
  });

  test("without the setting nobody watches", async () => {
    await start({ env: { ...ENVIRONMENT, CERTBOT_DEPLOY: "" } });
    expect(await watchers()).toEqual([]);
  });
});
