import { toFailure } from "../certificate/index.ts";
import type { Found, Target, TargetSource } from "../reconcile/index.ts";
import { REAL_HINTS } from "./docker/own-container.ts";
import { createStorageProbe } from "./docker/storage-probe.ts";
import type { Deployment, DeploymentOptions, Watched } from "./deployment.ts";
import { targetNameUnknown } from "./errors.ts";
import type { ServerWords } from "./kind.ts";
import { nginxPorts } from "./nginx-settings.ts";
import { shakeHands } from "./tls/handshake.ts";
import { createTlsCheck } from "./tls/tls-check.ts";

/** What replicas that take over by themselves are found and seen with; the service is the name of all of them in Docker's DNS. */
export type WatchedParts = Watched & Pick<DeploymentOptions, "service" | "clock" | "random" | "ownHints">;

const HANDSHAKE_MS = 5000;

// Nobody tells of a start; two questions to the engine's own DNS cost next to nothing.
const LOOK_EVERY_MS = 10_000;

/**
 * Builds the way to an nginx that takes over by itself what is on disk (`nginx/lib/watch.sh`). No engine is asked: replicas are
 * known by DNS, and what they serve is seen by TLS.
 */
export function buildWatched(parts: WatchedParts): Deployment {
  const { service, nginx, ownHints = REAL_HINTS } = parts;
  const front = `http://${service}:${nginxPorts({ env: nginx }).http}`;
  return {
    targets: createWatchedSource(parts),
    front: { httpUrl: () => Promise.resolve(front) },
    storageOf: (folder) => createStorageProbe({ ownHints, folder }),
  };
}

/** Finds all replicas of a service by its name: each of its addresses is a target of its own. */
export function createWatchedSource(parts: WatchedParts): Required<TargetSource> {
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
        const started = await nameReplicas(parts, addresses.filter(isNew), signal).catch(() => []);
        for (const { name } of started) onStart(name);
        await parts.clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      }
    },
  };
}

type Replica = { readonly name: string; readonly address: string };

async function findAddresses({ service, lookUp }: WatchedParts, signal: AbortSignal): Promise<readonly string[]> {
  const addresses = await lookUp.addresses(service, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw targetNameUnknown(service, cause);
  });
  if (addresses.length === 0) throw targetNameUnknown(service);
  return addresses;
}

// Throws only the signal's reason.
async function nameReplicas({ service, lookUp }: WatchedParts, addresses: readonly string[], signal: AbortSignal) {
  const asked = addresses.map(async (address) => {
    const hosts = await lookUp.names(address, signal).catch(() => []);
    signal.throwIfAborted();
    return { address, name: replicaName(service, hosts) };
  });
  // DNS gives them in any order.
  const found = (await Promise.all(asked)).sort((a, b) => order(a).localeCompare(order(b), "en", { numeric: true }));
  const taken = new Set<string>();
  return found.map(({ name = service, address }): Replica => {
    // With IPv6, or on several networks, one replica has several addresses.
    const own = name === service || taken.has(name) ? `${name} at ${address}` : name;
    taken.add(own);
    return { name: own, address };
  });
}

function order({ name = "", address }: { readonly name: string | undefined; readonly address: string }): string {
  return `${name} ${address.includes(":") ? 6 : 4} ${address}`;
}

// The engine calls a container `project-nginx-1.project_default`. Its name here is that which it has where the engine is asked, so
// that what is remembered of it stays; an address may be another one's tomorrow.
function replicaName(service: string, hosts: readonly string[]): string | undefined {
  const containers = hosts.map((host) => host.split(".")[0] ?? "");
  for (const container of containers) {
    const [end = "", number] = /[-_](\d+)$/.exec(container) ?? [];
    if (number !== undefined && container.slice(0, -end.length).endsWith(service)) return `${service}-${number}`;
  }
  return containers.find((container) => container !== "");
}

async function sortOut(parts: WatchedParts, replicas: readonly Replica[], signal: AbortSignal): Promise<Found> {
  const { service, nginx, clock, random } = parts;
  const port = nginxPorts({ env: nginx }).tls;
  const isOffAsked = /^false\r?$/.test(nginx["NGINX_HTTPS_ENABLED"] ?? "");
  const check = createTlsCheck({ clock, random, handshakeMs: HANDSHAKE_MS });
  const words = watchedWords(service);
  const sorted = replicas.map(async ({ name, address }) => {
    const asked = { address, port, isProxied: false, serverName: undefined, clock, ms: HANDSHAKE_MS };
    // Where TLS answers it is looked at, whatever was said.
    if (isOffAsked && (await shakeHands(asked, signal)).kind === "refused") return { name };
    const place = { name, service, address, port };
    const target: Target = {
      name,
      takesOverItself: true,
      wants: () => true,
      tlsCheck: (certificate, own) => check({ place, certificate, words }, own),
      check: async (own) => own.throwIfAborted(),
      apply: async (_behind, own) => {
        own.throwIfAborted();
        return new Map();
      },
    };
    return { name, target };
  });
  const found = await Promise.all(sorted);
  return {
    targets: found.flatMap(({ target }) => target ?? []),
    off: found.flatMap(({ name, target }) => (target ? [] : [{ name, reason: "NGINX_HTTPS_ENABLED is false" }])),
    missing: [],
  };
}

function watchedWords(service: string): ServerWords {
  const log = `Run docker compose logs ${service} | grep cert-sidecar`;
  const refused = 'with "until this is mended" says what it refuses';
  const environment = `the service ${service} has our entrypoint, CERTBOT_DEPLOY=nginx:watch in its environment, and the same /etc/letsencrypt as this container`;
  return {
    nothingListens: `${log}, and mend what it names where it says that HTTPS is off; else leave NGINX_HTTPS_ENABLED empty or set it to true and run docker compose up -d ${service}; where TLS is on another port, give this container the same NGINX_SSL_PORT as ${service}.`,
    noCertificate: `${log}: the last line ${refused}; without one check that a server block there has this name.`,
    isDefault: `Put all IP addresses into one certificate, and let no other server of ${service} be the default_server of its TLS port.`,
    explain: ({ lineage }) => ({
      because: " and has not taken over what is on disk",
      remedy: `${log}: the last line that names ${lineage} or ${refused}; without one check that ${environment}, and run docker compose restart ${service}.`,
    }),
  };
}
