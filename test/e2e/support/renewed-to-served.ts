import type { Stack } from "./stack.ts";

/**
 * For each renewal in the sidecar's log, the milliseconds from the version on disk to its being seen served (`lineage.renewed`
 * to the next `target.served`), oldest first. One lineage and one target; a renewal that was not served gives nothing.
 */
export async function renewedToServedMs(stack: Stack): Promise<number[]> {
  // The sidecar's own instants are whole seconds; Docker notes when it got each line.
  const lines = (await stack.composeOk("logs", "--no-color", "--no-log-prefix", "-t", "certbot")).split("\n");
  const spans: number[] = [];
  let renewedAt: number | undefined;
  for (const line of lines) {
    const at = Date.parse(line.slice(0, line.indexOf(" ")));
    if (line.includes('"event":"lineage.renewed"')) renewedAt = at;
    if (!line.includes('"event":"target.served"') || renewedAt === undefined) continue;
    spans.push(at - renewedAt);
    renewedAt = undefined;
  }
  return spans;
}

/** Tells how long it took from renewed to served; nothing is judged by it, since other work shares this machine. */
export function tellSpans(spans: readonly number[]): void {
  const sorted = [...spans].sort((a, b) => a - b);
  console.info(
    `renewed to served: ${sorted.length} times, median ${sorted[sorted.length >> 1]} ms, all ${sorted.join(" ")}`,
  );
}
