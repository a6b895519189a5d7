import type { Container, NetworkEndpoint } from "./container.ts";

/** Where we are: a container, or (undefined) the Docker host itself, which reaches every network. */
export type OwnPlace = Container | undefined;

/** An address at which a container can be reached from where we are, or why there is none. */
export type Reach =
  | {
      readonly kind: "address";
      readonly address: string;
      /** Further ones that may do, as of IPv6. */
      readonly others: readonly string[];
    }
  | { readonly kind: "no-common-network"; readonly ours: readonly string[]; readonly theirs: readonly string[] };

const LOOPBACK = ["127.0.0.1", "::1"];

/**
 * Chooses the address of `target`: of a network that we share with it, IPv4 before IPv6; the gateway of our own network for a
 * target on the host's network; the loopback address where both are in one network namespace.
 */
export function chooseAddress(ownPlace: OwnPlace, target: Container): Reach {
  const isOnHost = ownPlace === undefined || ownPlace.networkMode === "host";
  if (ownPlace !== undefined && ownPlace.namespaceOf === target.namespaceOf)
    return chosen([...LOOPBACK, ...addressesOf(target.networks, "ipv4", "ipv6")], target, ownPlace);
  if (target.networkMode === "host")
    return chosen(isOnHost ? LOOPBACK : addressesOf(ownPlace.networks, "gateway4", "gateway6"), target, ownPlace);
  const ours = new Map(ownPlace?.networks.map((network) => [network.id, network]));
  const common = target.networks.filter(({ id }) => isOnHost || ours.has(id));
  const shared = common.map((network) =>
    isOnHost || ours.get(network.id)?.ipv6 ? network : { ...network, ipv6: undefined },
  );
  return chosen(addressesOf(shared, "ipv4", "ipv6"), target, ownPlace);
}

/** An address as it stands in a URL or before a port: IPv6 in brackets (RFC 3986 §3.2.2). */
export function urlHost(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

type Part = "ipv4" | "ipv6" | "gateway4" | "gateway6";

function addressesOf(networks: readonly NetworkEndpoint[], ...parts: readonly Part[]): string[] {
  return parts.flatMap((part) => networks.flatMap((network) => network[part] ?? []));
}

function chosen([address, ...others]: readonly string[], target: Container, ownPlace: OwnPlace): Reach {
  if (address !== undefined) return { kind: "address", address, others };
  return { kind: "no-common-network", ours: networkNames(ownPlace), theirs: networkNames(target) };
}

function networkNames(container: OwnPlace): string[] {
  if (container === undefined) return ["host"];
  return container.networks.length > 0 ? container.networks.map(({ name }) => name) : [container.networkMode || "none"];
}
