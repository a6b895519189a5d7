import { toFailure } from "../certificate/index.ts";
import type { Found, Target, TargetSource } from "../reconcile/index.ts";
import type { DeploymentOptions } from "./deployment.ts";
import { targetNameUnknown, type NameUnknown } from "./errors.ts";
import type { ServerWords } from "./kind.ts";
import { shakeHands } from "./tls/handshake.ts";
import { createTlsCheck } from "./tls/tls-check.ts";

/** Servers that are known by a name, and judged by TLS alone: no engine is asked. */
export type WatchedServers = {
  /** What they are called; one of several has its own name, or its address, too. */
  readonly service: string;
  readonly port: number;
  readonly words: ServerWords;
  /** None where the name isn't known. Rejects when nobody can tell, and with the signal's reason. */
  readonly addresses: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Their own name; undefined: none that is known. Throws only the signal's reason. */
  readonly nameAt: (address: string, signal: AbortSignal) => Promise<string | undefined>;
  /** What to say where the name has no address. */
  readonly unknown: NameUnknown;
  /** Why nothing need listen there; undefined: something must. */
  readonly whyOff?: string | undefined;
  /** Asks whoever it is that makes them take over what is on disk; left out where they look by themselves. Throws OperatorError. */
  readonly ask?: (() => Promise<void>) | undefined;
};

type Parts = WatchedServers & Pick<DeploymentOptions, "clock" | "random">;

const HANDSHAKE_MS = 5000;

// Nobody tells of a start; a question of the engine's own DNS costs next to nothing.
const LOOK_EVERY_MS = 10_000;

/** Finds all servers of a name: each of its addresses is a target of its own. */
export function createWatchedSource(parts: Parts): Required<TargetSource> {
  // The addresses of the replicas that somebody has been told of.
  let known: ReadonlySet<string> | undefined;
  return {
    find: async (signal) => {
      try {
        return await sortOut(parts, await nameReplicas(parts, await findAddresses(parts, signal), signal), signal);
      } catch (thrown) {
        signal.throwIfAborted();
        // It may be back, with the address that it had, before the next look.
        known = new Set();
        return { targets: [], off: [], missing: [{ name: parts.service, failure: toFailure(thrown) }] };
      }
    },
    watch: async (onStart, signal) => {
      while (!signal.aborted) {
        const addresses = await findAddresses(parts, signal).catch(() => []);
        // Whoever starts to watch searches by himself first.
        const before = known ?? new Set(addresses);
        known = new Set(addresses);
        const isNew = (address: string) => !before.has(address);
        const named = addresses.some(isNew) ? await nameReplicas(parts, addresses, signal).catch(() => []) : [];
        for (const { name, address } of named) if (isNew(address)) onStart(name);
        await parts.clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      }
    },
  };
}

type Replica = { readonly name: string; readonly address: string };

async function findAddresses(parts: Parts, signal: AbortSignal): Promise<readonly string[]> {
  const addresses = await parts.addresses(signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw targetNameUnknown(parts.unknown, cause);
  });
  if (addresses.length === 0) throw targetNameUnknown(parts.unknown);
  return addresses;
}

// Throws only the signal's reason.
async function nameReplicas({ service, nameAt }: Parts, addresses: readonly string[], signal: AbortSignal) {
  const asked = addresses.map(async (address) => ({ address, name: await nameAt(address, signal) }));
  // DNS gives them in any order.
  const found = (await Promise.all(asked)).sort((a, b) => order(a).localeCompare(order(b), "en", { numeric: true }));
  const taken = new Set<string>();
  return found.map(({ name = service, address }): Replica => {
    // With IPv6, or on several networks, one replica has several addresses.
    const isShared = name === service && found.length > 1;
    const own = isShared || taken.has(name) ? `${name} at ${address}` : name;
    taken.add(own);
    return { name: own, address };
  });
}

function order({ name = "", address }: { readonly name: string | undefined; readonly address: string }): string {
  return `${name} ${address.includes(":") ? 6 : 4} ${address}`;
}

async function sortOut(parts: Parts, replicas: readonly Replica[], signal: AbortSignal): Promise<Found> {
  const { port, whyOff, clock } = parts;
  const isOff = async ({ address }: Replica) => {
    const asked = { address, port, isProxied: false, serverName: undefined, clock, ms: HANDSHAKE_MS };
    // Where TLS answers it is looked at, whatever was said.
    return whyOff !== undefined && (await shakeHands(asked, signal)).kind === "refused";
  };
  const areOff = await Promise.all(replicas.map(isOff));
  const toTarget = createTargets(parts);
  return {
    targets: replicas.filter((_, index) => !areOff[index]).map(toTarget),
    off: replicas.filter((_, index) => areOff[index]).map(({ name }) => ({ name, reason: whyOff ?? "" })),
    missing: [],
  };
}

function createTargets({ service, port, words, ask, clock, random }: Parts): (replica: Replica) => Target {
  const check = createTlsCheck({ clock, random, handshakeMs: HANDSHAKE_MS });
  return ({ name, address }) => {
    const place = { name, service, address, port };
    return {
      name,
      takesOverItself: true,
      wants: () => true,
      tlsCheck: (certificate, own) => check({ place, certificate, words }, own),
      check: async (own) => own.throwIfAborted(),
      apply: async (_behind, own) => {
        own.throwIfAborted();
        await ask?.();
        return new Map();
      },
    };
  };
}
