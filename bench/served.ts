import { loadavg } from "node:os";
import { renewedToServedMs } from "../test/e2e/support/renewed-to-served.ts";
import { createStack, until } from "../test/e2e/support/stack.ts";
import { median, range } from "./figures.ts";

const RENEWALS = Number(process.argv[2] ?? 30);

const stack = await createStack({ nonceRejectPercent: 0, authorizationReusePercent: 100 });
try {
  await stack.up();
  await until("the first certificate is served", async () =>
    (await stack.events()).some(({ event }) => event === "target.served") ? true : undefined,
  );
  for (let renewal = 0; renewal < RENEWALS; renewal += 1) {
    const { code, stderr } = await stack.certbot("update-cert", "--force-renewal");
    if (code !== 0) throw new Error(`the renewal ended with ${code}: ${stderr.slice(0, 2000)}`);
  }
  const spans = await renewedToServedMs(stack);
  console.log(`on disk -> served, ${spans.length} renewals: median ${median(spans)} ms (${range(spans)})`);
  console.log(`load of the machine in the last minute: ${loadavg()[0]?.toFixed(1)}`);
} finally {
  await stack.remove();
}
