/** The middle one, as a whole number. */
export function median(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN);
}

/** The least and the most of all, as whole numbers. */
export function range(values: readonly number[]): string {
  return `${Math.round(Math.min(...values))}…${Math.round(Math.max(...values))}`;
}
