import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { untilIdle } from "./support/idle.ts";
import { servedByCa, settledLeaf } from "./support/issued.ts";
import { soundPairIn } from "./support/sound-pair.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

// A disk of 128 pages. It lasts as long as nginx has it mounted.
const OVERRIDE = `services:
  nginx:
    volumes: ["conf:/etc/letsencrypt:ro"]
  certbot:
    volumes: ["conf:/etc/letsencrypt", "./volumes/pebble/ca.pem:/demo-ca.pem:ro"]
volumes:
  conf:
    driver_opts: { type: tmpfs, device: tmpfs, o: size=512k }
`;
const PAGE_BYTES = 4096;
const FILLER = "/etc/letsencrypt/filler";

let stack: Stack;
let tree: string;

beforeAll(async () => {
  const env = { CERTBOT_CA_BUNDLE: "/demo-ca.pem", CERTBOT_SCHEDULE: "0 0 1 1 *" };
  stack = await createStack({ env, override: OVERRIDE });
  await stack.up();
  await servedByCa(stack);
  tree = await docker("volume", "inspect", "-f", "{{.Mountpoint}}", `${stack.project}_conf`);
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test.each([
  { freePages: 0, orders: 0, when: "before the order, which is then not placed" },
  { freePages: 2, orders: 1, when: "when the new key and certificate are written" },
  { freePages: 4, orders: 1, when: "when the last files are written" },
])("a disk that is full $when leaves the old pair intact and served", async ({ freePages, orders }) => {
  const before = await soundPairIn(tree);
  const ordersBefore = await stack.orders();
  const failuresBefore = (await stack.events()).filter(({ event }) => event === "lineage.failed").length;
  await untilIdle(stack);
  await fillDisk(freePages);

  const { code, stderr } = await stack.certbot("update-cert", "--force-renewal");
  expect(code).toBe(1);
  expect(stderr).toMatch(/ENOSPC: no space left on device, .*\/etc\/letsencrypt\/.* \[STORE_DISK_FULL\]/);
  expect(stderr).toMatch(/^ {2}what to do: Free space, or inodes, on the disk that holds \/etc\/letsencrypt\//m);
  const failure = await until("the log has the failure", async () => {
    const failures = (await stack.events()).filter(({ event }) => event === "lineage.failed");
    return failures[failuresBefore];
  });
  expect(failure).toMatchObject({ code: "STORE_DISK_FULL", remedy: expect.stringContaining("Free space") });
  expect((await stack.orders()) - ordersBefore).toBe(orders);
  expect((await soundPairIn(tree)).fingerprint256).toBe(before.fingerprint256);
  expect((await settledLeaf(stack)).fingerprint256).toBe(before.fingerprint256);
  await stack.composeOk("exec", "-T", "nginx", "nginx", "-t");

  await stack.composeOk("exec", "-T", "certbot", "rm", FILLER);
  expect(await stack.certbot("update-cert", "--force-renewal")).toMatchObject({ code: 0, stderr: "" });
  const after = await settledLeaf(stack);
  expect(after.fingerprint256).not.toBe(before.fingerprint256);
  expect(after.fingerprint256).toBe((await soundPairIn(tree)).fingerprint256);
});

/** Leaves room for so many pages, and no more; only while nobody else writes there. */
async function fillDisk(freePages: number): Promise<void> {
  const fill = `head -c 1m /dev/zero >${FILLER} 2>/dev/null; truncate -s -${freePages * PAGE_BYTES} ${FILLER}`;
  await stack.composeOk("exec", "-T", "certbot", "sh", "-c", fill);
  const free = await stack.composeOk("exec", "-T", "certbot", "stat", "-f", "-c", "%f", "/etc/letsencrypt");
  expect(Number(free)).toBe(freePages);
}
