import { isIP, isIPv6 } from "node:net";
import type { Identifier } from "../certificate/index.ts";
import type { Listener } from "./kind.ts";
import type { NginxListen, NginxServer } from "./nginx-configuration.ts";

/** Where nginx is reached. */
export type Reached = {
  /** Where it is asked whatever its configuration says. */
  readonly address: string;
  readonly port: number;
  /** All addresses at which its container is reached, that one first. */
  readonly addresses: readonly string[];
};

/** What nginx's configuration says of who answers where. */
export type Listening = {
  /** Where to ask for a name of a lineage: each listener on which it is this lineage's certificate that is presented. */
  readonly listenersOf: (lineage: string, identifier: Identifier) => readonly Listener[];
  /** Who answers for a name on a listener; several where the configuration alone doesn't tell. */
  readonly serversFor: (listener: Listener, identifier: Identifier) => readonly NginxServer[];
  /** `address:port` of what speaks TLS and isn't reached from here. */
  readonly unreached: readonly string[];
};

/** All servers of one address and port: nginx chooses among them by the name in SNI. */
type Group = {
  readonly listen: Pick<NginxListen, "address" | "port" | "isBothFamilies">;
  readonly isTls: boolean;
  readonly isProxied: boolean;
  readonly servers: readonly NginxServer[];
  readonly byDefault: NginxServer;
  /** The first of each name. */
  readonly byName: ReadonlyMap<string, NginxServer>;
};

type Endpoint = { readonly listener: Listener; readonly group: Group };

/** Works out who answers where, as nginx chooses a server: by the address, by the name, or the default one. */
export function listeningOf(servers: readonly NginxServer[], reached: Reached): Listening {
  const groups = groupsOf(servers);
  const endpoints = endpointsOf(groups, reached);
  const seen = new Set(endpoints.map(({ group }) => group));
  const { address, port } = reached;
  const main = endpointAt(groups, address, port);
  const mainListener = { address, port, isProxied: main?.isProxied ?? false };
  const found = (listener: Listener) => endpointAt(groups, listener.address, listener.port);
  return {
    listenersOf: (lineage, identifier) => {
      const ours = endpoints.filter(({ group }) => choices(group, identifier).every((one) => isOf(one, lineage)));
      const listeners = ours.map(({ listener }) => listener);
      const isKnown = ours.some(({ group }) => group === main);
      // There it is asked too, unless nobody there has the name and somebody elsewhere has. What speaks no TLS itself may hand it on.
      const isElsewhere = listeners.length > 0 && (!main || (main.isTls && !byName(main, identifier)));
      return isKnown || isElsewhere ? listeners : [mainListener, ...listeners];
    },
    serversFor: (listener, identifier) => {
      const group = found(listener);
      return group ? choices(group, identifier) : [];
    },
    unreached: groups
      .filter((one) => one.isTls && !seen.has(one))
      .map(({ listen }) => `${listen.address}:${listen.port}`),
  };
}

function isOf({ certificates, hasUnknown }: NginxServer, lineage: string): boolean {
  return !hasUnknown && certificates.some((path) => path.includes(`/live/${lineage}/`));
}

function groupsOf(servers: readonly NginxServer[]): Group[] {
  const all = servers.flatMap((server) => server.listens.map((listen) => ({ server, listen })));
  const ofTcp = all.filter(({ listen }) => !listen.isQuic);
  return [...Map.groupBy(ofTcp, ({ listen: { address, port } }) => `${address} ${port}`).values()].flatMap((ones) => {
    const [first] = ones;
    if (!first) return [];
    const names = new Map<string, NginxServer>();
    for (const { server } of ones) {
      for (const name of server.names.flatMap(bothOf)) if (!names.has(name)) names.set(name, server);
    }
    const listens = ones.map(({ listen }) => listen);
    return {
      listen: { ...first.listen, isBothFamilies: listens.some((one) => one.isBothFamilies) },
      isTls: listens.some(({ isTls }) => isTls),
      isProxied: listens.some(({ isProxied }) => isProxied),
      servers: ones.map(({ server }) => server),
      byDefault: (ones.find(({ listen }) => listen.isDefault) ?? first).server,
      byName: names,
    };
  });
}

// ".a.test" is short for the name and all below it.
function bothOf(name: string): string[] {
  return name.startsWith(".") ? [name.slice(1), `*${name}`] : [name];
}

// One way to each that speaks TLS. What has an address of its own is never answered by who listens on all of them.
function endpointsOf(groups: readonly Group[], { addresses, port: first }: Reached): Endpoint[] {
  const ports = new Set(groups.filter(({ isTls }) => isTls).map(({ listen }) => listen.port));
  const endpoints = new Map<Group, Endpoint>();
  for (const port of [...ports].sort((a, b) => Number(b === first) - Number(a === first) || a - b)) {
    for (const address of addresses) {
      const group = endpointAt(groups, address, port);
      if (!group?.isTls || endpoints.has(group)) continue;
      endpoints.set(group, { group, listener: { address, port, isProxied: group.isProxied } });
    }
  }
  return [...endpoints.values()];
}

function endpointAt(groups: readonly Group[], address: string, port: number): Group | undefined {
  const here = groups.filter(({ listen }) => listen.port === port);
  const all = isIPv6(address) ? "::" : "*";
  return (
    here.find(({ listen }) => listen.address === address) ??
    here.find(({ listen }) => listen.address === all) ??
    here.find(({ listen }) => listen.address === "::" && listen.isBothFamilies)
  );
}

// A pattern isn't tried here: whoever has one may be who answers, and the default one too.
function choices(group: Group, identifier: Identifier): readonly NginxServer[] {
  const named = byName(group, identifier);
  if (named) return [named];
  // Whoever connects to an address names no server (RFC 6066 §3).
  const byPattern = identifier.type === "ip" ? [] : group.servers.filter(({ names }) => names.some(isPattern));
  return [...byPattern, group.byDefault];
}

const isPattern = (name: string) => name.startsWith("~");

// The name itself, else the longest that begins with a star, else the longest that ends with one. For a wildcard any name below it.
function byName(group: Group, { type, value }: Identifier): NginxServer | undefined {
  if (type === "ip" || isIP(value) !== 0) return undefined;
  const labels = value.split(".");
  const heads = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`);
  const tails = labels.slice(1).map((_, index) => `${labels.slice(0, labels.length - index - 1).join(".")}.*`);
  const exact = value.startsWith("*.") ? [] : [value];
  return [...exact, ...heads, ...tails].map((name) => group.byName.get(name)).find((server) => server !== undefined);
}
