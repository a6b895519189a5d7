import { until, type Stack } from "./stack.ts";

type Listed = { readonly certificates: readonly { readonly renewalInfo?: unknown }[] };

/**
 * Waits until the CA has been asked when to renew each certificate: the daemon does that by itself, a moment after it has got
 * one, with a request to the CA and a line in its notes.
 */
export async function askedWhenToRenew(stack: Stack): Promise<void> {
  await until("the CA has been asked when to renew", async () => {
    const { certificates } = JSON.parse((await stack.certbot("status", "--json")).stdout) as Listed;
    return certificates.every(({ renewalInfo }) => renewalInfo !== undefined) || undefined;
  });
}
