import type { Container, NetworkEndpoint } from "./container.ts";

/** Where we are: a container, or (undefined) the Docker host itself, which reaches every network. */
export type OwnPlace = Container | undefined;

/** An address at which a container can be reached from where we are, or why there is none. */
export type Reach =
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "no-common-network"; readonly ours: readonly string[]; readonly theirs: readonly string[] };

const LOOPBACK = "127.0.0.1";

/**
 * Chooses the address of `target`: of a network that we share with it, IPv4 before IPv6; the gateway of our own network for a
 * target on the host's network; the loopback address where both are in one network namespace.
 */
export function chooseAddress(ownPlace: OwnPlace, target: Container): Reach {
  const isOnHost = ownPlace === undefined || ownPlace.networkMode === "host";
  if (ownPlace !== undefined && ownPlace.namespaceOf === target.namespaceOf)
    return { kind: "address", address: LOOPBACK };
  if (target.networkMode === "host") {
    const gateway = isOnHost ? LOOPBACK : firstOf(ownPlace.networks, "gateway4", "gateway6");
    return gateway === undefined ? noCommonNetwork(ownPlace, target) : { kind: "address", address: gateway };
  }
  const ourNetworks = new Set(ownPlace?.networks.map(({ id }) => id));
  const shared = target.networks.filter(({ id }) => isOnHost || ourNetworks.has(id));
  const address = firstOf(shared, "ipv4", "ipv6");
  return address === undefined ? noCommonNetwork(ownPlace, target) : { kind: "address", address };
}

/** An address as it stands in a URL or before a port: IPv6 in brackets (RFC 3986 §3.2.2). */
export function urlHost(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

type Part = "ipv4" | "ipv6" | "gateway4" | "gateway6";

function firstOf(networks: readonly NetworkEndpoint[], ...parts: readonly Part[]): string | undefined {
  return parts.flatMap((part) => networks.flatMap((network) => network[part] ?? []))[0];
}

function noCommonNetwork(ownPlace: OwnPlace, target: Container): Reach {
  return { kind: "no-common-network", ours: networkNames(ownPlace), theirs: networkNames(target) };
}

function networkNames(container: OwnPlace): string[] {
  if (container === undefined) return ["host"];
  return container.networks.length > 0 ? container.networks.map(({ name }) => name) : [container.networkMode || "none"];
}
