/** A folder of the container as the banner shows it; `entries` is undefined where it does not exist. */
export type ShownFolder = { readonly path: string; readonly entries: readonly string[] | undefined };

/**
 * What the container prints first, as the certbot container it replaces does: that it runs, its settings (secrets redacted
 * by the caller), and what it finds in its folders.
 */
export function banner(version: string, settings: readonly string[], folders: readonly ShownFolder[]): string {
  const lines = folders.flatMap(({ path, entries }) => {
    if (entries === undefined) return [`${path} does not exist.`];
    return [`Contents of ${path}:`, ...(entries.length === 0 ? ["  (empty)"] : entries.map((entry) => `  ${entry}`))];
  });
  return `${[`cert-sidecar ${version} is running`, ...settings, ...lines].join("\n")}\n`;
}
