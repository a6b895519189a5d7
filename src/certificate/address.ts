import { BlockList, isIP } from "node:net";

// RFC 1918, RFC 4193, carrier-grade NAT (RFC 6598), loopback, link-local.
const PRIVATE = blockList([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
]);

// What else the special-purpose registries of IANA (RFC 6890) leave nobody to reach, and examples.
const SPECIAL = blockList([
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
]);

const UNICAST_IPV6 = blockList(["2000::/3"]);

/** Whether an IP address is one of somebody's own network, which routers on the internet pass on to nobody. */
export function isPrivateAddress(address: string): boolean {
  return PRIVATE.check(address, familyOf(address));
}

/** Whether an IP address can be reached from everywhere on the internet. */
export function isGlobalAddress(address: string): boolean {
  const family = familyOf(address);
  const isUnicast = family === "ipv4" || UNICAST_IPV6.check(address, family);
  return isUnicast && !PRIVATE.check(address, family) && !SPECIAL.check(address, family);
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", prefix] = range.split("/");
    list.addSubnet(network, Number(prefix), familyOf(network));
  }
  return list;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
