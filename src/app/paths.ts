import { resolve } from "node:path";

/** The folders of one sidecar. */
export type Paths = {
  /** certbot's configuration folder; everything that is kept is below it. */
  readonly tree: string;
  /** Where the control socket is when the tree can't have it; gone with the container. */
  readonly run: string;
  /** Where certbot had its logs; ours go to the container's. */
  readonly logs: string;
};

const DEFAULT_PATHS: Paths = { tree: "/etc/letsencrypt", run: "/run/cert-sidecar", logs: "/var/log/letsencrypt" };

const OPTIONS = new Map<string, keyof Paths>([
  ["--config-dir", "tree"],
  ["--work-dir", "run"],
  ["--logs-dir", "logs"],
]);

/** The folder of the lock. */
export function lockFolder({ tree }: Paths): string {
  return `${tree}/sidecar`;
}

/** Takes the paths that a command line begins with, by certbot's names; `rest` are the words from the first other one on. */
export function takePaths(words: readonly string[]): { readonly paths: Paths; readonly rest: readonly string[] } {
  let paths = DEFAULT_PATHS;
  for (let at = 0; ; at += 2) {
    const [option, folder] = words.slice(at, at + 2);
    const key = OPTIONS.get(option ?? "");
    if (key === undefined || folder === undefined) return { paths, rest: words.slice(at) };
    paths = { ...paths, [key]: resolve(folder) };
  }
}

/** The daemon's paths. Undefined for a command line that begins with a path and goes on with something else. */
export function daemonPaths(words: readonly string[]): Paths | undefined {
  const { paths, rest } = takePaths(words);
  // Other words are for a program that was here before, like certbot: the daemon starts all the same.
  return rest.length === 0 || !/^--(?:config|work|logs)-dir/.test(words[0] ?? "") ? paths : undefined;
}
