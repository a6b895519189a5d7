import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { settledLeafAt } from "./support/issued.ts";
import { diskLeaf } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const EXAMPLE = new URL("../../docs/examples/no-socket.yml", import.meta.url);

// Ports that the engine chooses, so that there may be a second replica.
const ANY_PORTS = 'nginx:\n    ports: !override ["127.0.0.1::80", "127.0.0.1::443"]\n';

let stack: Stack;

beforeAll(async () => {
  const override = (await readFile(EXAMPLE, "utf8")).replace("nginx:\n", ANY_PORTS);
  // The schedule is far away, so that nothing but what is tested here can set something right.
  stack = await createStack({ env: { CERTBOT_SCHEDULE: "0 0 1 1 *" }, authorizationReusePercent: 100, override });
  await stack.up();
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

const portOf = async (replica: number) =>
  Number((await stack.composeOk("port", "--index", String(replica), "nginx", "443")).trim().split(":").at(-1));
const leafOf = async (replica: number) => settledLeafAt(await portOf(replica));
const expectDiskServed = async (...replicas: readonly number[]) => {
  const disk = await diskLeaf(stack);
  for (const one of replicas) expect((await leafOf(one)).fingerprint256).toBe(disk.fingerprint256);
};
const isWell = async () => ((await stack.certbot("status")).code === 0 ? true : undefined);

describe("the compose example without a socket", () => {
  test("gets the first certificate served with no exec and no restart, and nobody asks for an engine", async () => {
    await until("the demo CA's certificate is served", async () =>
      (await leafOf(1)).issuer.includes("Pebble Intermediate") ? true : undefined,
    );
    await expectDiskServed(1);
    expect(await stack.inspect("certbot", "{{range .Mounts}}{{.Source}} {{end}}")).not.toContain("docker.sock");
    expect(await stack.inspect("nginx", "{{.RestartCount}}")).toBe("0");
    await until("status says that all is well", isWell);
    const health = await stack.certbot("healthcheck");
    expect([health.stdout + health.stderr, health.code]).toEqual([expect.any(String), 0]);
    const told = (await stack.events()).map(({ event }) => String(event));
    expect(told).toContain("target.served");
    expect(told.filter((event) => /^docker|deploy\.(failed|postponed)|target\.reloaded/.test(event))).toEqual([]);
  });

  test("a renewal is served by two replicas, and each is named", async () => {
    await stack.composeOk("up", "-d", "--no-build", "--no-deps", "--scale", "nginx=2", "nginx");
    await until("both are up", async () => ((await leafOf(1)) && (await leafOf(2)) ? true : undefined));
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stdout).toContain("demo.test: nginx-1 serves it");
    expect(renewal.stdout).toContain("demo.test: nginx-2 serves it");
    expect(renewal.code).toBe(0);
    await expectDiskServed(1, 2);
  });

  test("what nginx refuses is told as not served, with the line of its log to look for, and served once that is mended", async () => {
    const before = await leafOf(1);
    await inNginx("echo 'no-such-word;' >/etc/nginx/conf.d/own.conf");
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal.stderr).toMatch(/nginx-1 presents another certificate .* and has not taken over what is on disk/);
    expect(renewal.stderr).toContain("what to do: Run docker compose logs nginx | grep cert-sidecar");
    expect(renewal.code).toBe(1);
    expect((await stack.certbot("status")).stdout).toContain("has not taken over what is on disk");
    expect((await leafOf(1)).fingerprint256).toBe(before.fingerprint256);
    await expectDiskServed(2);
    const lines = (await stack.logs("nginx")).split("\n").filter((line) => line.includes("until this is mended"));
    expect(lines).toEqual([expect.stringMatching(/nginx refuses its configuration: .*no-such-word.*own\.conf/)]);

    await inNginx("rm /etc/nginx/conf.d/own.conf");
    const again = await stack.certbot("update-cert");
    expect(again.stdout).toContain("demo.test: nginx-1 serves it");
    expect(again.code).toBe(0);
    await expectDiskServed(1, 2);
  });

  test("no nginx at all is told with what to do, and one that starts later is looked at by itself", async () => {
    await stack.composeOk("stop", "nginx");
    const update = await stack.certbot("update-cert");
    expect(update.stderr).toContain("[TARGET_NAME_UNKNOWN]");
    expect(update.stderr).toContain("what to do: Run docker compose up -d nginx");
    expect(update.code).toBe(1);
    expect((await stack.certbot("healthcheck")).code).toBe(1);
    await stack.composeOk("start", "nginx");
    await until("health says that all is well again", async () =>
      (await stack.certbot("healthcheck")).code === 0 ? true : undefined,
    );
    expect(await isWell()).toBe(true);
  });
});

async function inNginx(line: string): Promise<void> {
  await docker("exec", `${stack.project}-nginx-1`, "sh", "-c", line);
}
