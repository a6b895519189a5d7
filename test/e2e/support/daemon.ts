import { until, type Stack } from "./stack.ts";

/** Waits until the daemon does the commands: before, one that is called acts in a process of its own. */
export async function daemonAnswers(stack: Stack): Promise<void> {
  await until("the daemon answers", async () => {
    const { stdout } = await stack.certbot("status");
    return /^daemon: (?!not running)/m.test(stdout) || undefined;
  });
}
