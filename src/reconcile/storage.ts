/** Whether what is written to `/etc/letsencrypt` outlives the container. */
export type StorageFinding =
  | { readonly kind: "lasting" }
  /** It goes with the container: without a memory, a restart loop burns the CA's limits. */
  | { readonly kind: "ephemeral"; readonly message: string; readonly remedy: string };

/** Finds out how a folder is stored. */
export interface StorageProbe {
  /** Looks at the mounts, and at Docker where it answers; in bounded time. Throws only the signal's reason. */
  inspect(signal: AbortSignal): Promise<StorageFinding>;
}

/** The probe for one run, which looks once, however many certificates ask: a hung engine takes its time limit for each look. */
export function lookOnce(probe: StorageProbe): StorageProbe {
  let finding: Promise<StorageFinding> | undefined;
  return { inspect: (signal) => (finding ??= probe.inspect(signal)) };
}
