import type { X509Certificate } from "node:crypto";
import { diskLeaf, leafAt } from "./served.ts";
import { until, type Stack } from "./stack.ts";

// More than a minute: a first try that meets a machine out of breath is repeated by itself then.
const SERVED_WITHIN_MS = 150_000;
const LOOKS_IN_A_ROW = 3;

/**
 * The leaf that nginx presents for a name when it has settled: for a tenth of a second after a reload, old workers and new
 * ones accept side by side, and the looks of {@link until} are as far apart.
 */
export function settledLeaf(stack: Stack, name = "demo.test"): Promise<X509Certificate> {
  return settledLeafAt(stack.httpsPort, name);
}

/** As {@link settledLeaf}, on a port of this machine. */
export async function settledLeafAt(port: number, name = "demo.test"): Promise<X509Certificate> {
  let last: X509Certificate | undefined;
  let looks = 0;
  return until(`nginx presents one certificate for ${name}`, async () => {
    const leaf = await leafAt(port, name);
    looks = leaf.fingerprint256 === last?.fingerprint256 ? looks + 1 : 1;
    last = leaf;
    return looks >= LOOKS_IN_A_ROW ? leaf : undefined;
  });
}

/** Whether nginx, once it has settled, presents the very certificate that is on disk. */
export async function isDiskSettled(stack: Stack, lineage = "demo.test"): Promise<boolean> {
  const served = await settledLeaf(stack, lineage);
  return served.fingerprint256 === (await diskLeaf(stack, lineage)).fingerprint256;
}

/** Waits until nginx serves a certificate of the demo CA for a name, and gives it. */
export function servedByCa(stack: Stack, name = "demo.test"): Promise<X509Certificate> {
  const what = `${name} is served with a certificate of the demo CA`;
  const look = async () => {
    const leaf = await settledLeaf(stack, name);
    return leaf.issuer.includes("Pebble Intermediate") ? leaf : undefined;
  };
  return until(what, look, SERVED_WITHIN_MS);
}
