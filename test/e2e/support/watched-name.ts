import { setTimeout as sleep } from "node:timers/promises";
import { probe } from "../../support/http-probe.ts";
import { servedLeaf } from "./served.ts";
import type { Stack } from "./stack.ts";

/** What somebody saw who kept opening a site, a new connection each time. */
export type Sightings = {
  /** Serial numbers of the certificates, in the order in which they first appeared. */
  readonly serials: readonly string[];
  /** Whatever was not a handshake and a 200. */
  readonly failures: readonly string[];
};

const PACE_MS = 30;

/** Keeps opening a name over HTTPS until `end`, which may be called twice. */
export function watchName(stack: Stack, name: string): { end(): Promise<Sightings> } {
  const stopping = new AbortController();
  const watching = watch(stack, name, stopping.signal);
  return {
    end() {
      stopping.abort();
      return watching;
    },
  };
}

async function watch(stack: Stack, name: string, signal: AbortSignal): Promise<Sightings> {
  const serials = new Set<string>();
  const failures: string[] = [];
  while (!signal.aborted) {
    try {
      serials.add((await servedLeaf(stack, name)).serialNumber);
      const { status } = await probe(`https://127.0.0.1:${stack.httpsPort}/`, { host: name });
      if (status !== 200) failures.push(`status ${status}`);
    } catch (thrown) {
      failures.push(String(thrown));
    }
    await sleep(PACE_MS, undefined, { signal }).catch(() => undefined);
  }
  return { serials: [...serials], failures };
}
