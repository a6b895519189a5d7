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

/**
 * Waits until the daemon does nothing by itself, nor will before its next check: it writes no file then, holds up no command,
 * and asks neither CA nor nginx.
 */
export async function untilIdle(stack: Stack): Promise<void> {
  await askedWhenToRenew(stack);
  await until("nothing is due", async () => {
    const { code, stdout, stderr } = await stack.certbot("update-cert", "--json");
    const { certificates } = JSON.parse(stdout) as { readonly certificates: readonly { readonly outcome: string }[] };
    const isAllQuiet = code === 0 && stderr === "" && certificates.every(({ outcome }) => outcome === "not-due");
    return isAllQuiet || undefined;
  });
}
