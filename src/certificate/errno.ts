/** The system's name for what went wrong, like `ENOENT`; empty when it has none. */
export function errnoOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}

/** Whether something thrown is a system error with one of these names. */
export function hasErrno(thrown: unknown, ...names: readonly string[]): boolean {
  return names.includes(errnoOf(thrown));
}

/** What `work` comes to; undefined when it fails with a system error of one of these names. */
export function unlessErrno<T>(work: Promise<T>, ...names: readonly string[]): Promise<T | undefined> {
  return work.catch((thrown: unknown) => {
    if (hasErrno(thrown, ...names)) return undefined;
    throw thrown;
  });
}
