/**
 * The candidate that a typing mistake most likely meant: a third of the letters may differ, two in any case; else the
 * first that begins with the text; else undefined. Ties go to the earlier candidate.
 */
export function findNearest(text: string, candidates: readonly string[]): string | undefined {
  const allowedDistance = Math.max(2, Math.floor(text.length / 3));
  let nearest: { readonly name: string; readonly distance: number } | undefined;
  for (const name of candidates) {
    const distance = editDistance(text, name);
    if (distance <= allowedDistance && distance < (nearest?.distance ?? Infinity)) nearest = { name, distance };
  }
  return nearest?.name ?? candidates.find((name) => name.startsWith(text));
}

/** "; did you mean X?" for a message, or "" when nothing is near. */
export function didYouMean(nearest: string | undefined): string {
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

// Levenshtein's distance, one row of its table at a time.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a.charAt(i - 1) === b.charAt(j - 1) ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? a.length;
}
