// Enough to make a certificate of many names quick, few enough for a CA's per-address limits and for the nonces at hand.
const AT_ONCE = 8;

/**
 * Does `act` for all items, eight at a time, and gives the results in order. After a failure no further item is begun;
 * those under way are waited for, then the first failure is thrown.
 */
export async function forEachAtOnce<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      try {
        results[index] = await act(item);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work));
  if (failures.length > 0) throw failures[0];
  return results;
}
