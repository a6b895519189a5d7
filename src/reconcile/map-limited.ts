/**
 * Calls `use` for each item, at most `limit` at once, and gives the results in the items' order. The first error stops new
 * calls and is thrown when those under way have settled.
 */
export async function mapLimited<Item, Result>(
  items: readonly Item[],
  limit: number,
  use: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  let hasFailed = false;
  const work = async () => {
    for (const [index, item] of entries) {
      if (hasFailed) return;
      try {
        results[index] = await use(item);
      } catch (thrown) {
        hasFailed = true;
        throw thrown;
      }
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, work));
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  return results;
}
