/** Whether a path is one of a glob's (glob(7)); a star takes no slash. Costs at most the product of both lengths. */
export function isGlobMatch(path: string, pattern: string): boolean {
  let [at, star, from] = [0, -1, 0];
  let index = 0;
  while (index < path.length) {
    const char = pattern[at];
    const [isOne, length] =
      char === "[" ? isInSet(path.charAt(index), pattern, at) : [char === "?" || char === path[index], 1];
    if (char === "*") [star, from, at] = [at, index, at + 1];
    else if (isOne) [at, index] = [at + length, index + 1];
    else if (star === -1 || path[from] === "/") return false;
    else [at, from, index] = [star + 1, from + 1, from + 1];
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}

// "[a-c]" or "[!a-c]".
function isInSet(char: string, pattern: string, at: number): readonly [boolean, number] {
  const end = pattern.indexOf("]", at + 2);
  if (end === -1) return [char === "[", 1];
  const isNot = pattern[at + 1] === "!" || pattern[at + 1] === "^";
  const set = pattern.slice(at + (isNot ? 2 : 1), end);
  const isIn = [...set.matchAll(/(.)-(.)|(.)/gs)].some(([, first, last, one]) =>
    first !== undefined && last !== undefined ? first <= char && char <= last : one === char,
  );
  return [isIn !== isNot && char !== "/", end - at + 1];
}
