/** One CAA record (RFC 8659 §4): `flags` 128 is critical. */
export type CaaRecord = { readonly flags: number; readonly tag: string; readonly value: string };

/**
 * Gives what the DNS has of one kind for exactly this name, nothing when it has none. Rejects when nobody can tell, and with the
 * signal's reason once it aborts. `servers`, as `address` or `address:port`, are asked in place of the machine's own.
 */
export type DnsLookup<Result> = (
  name: string,
  signal: AbortSignal,
  servers?: readonly string[],
) => Promise<readonly Result[]>;

export type CaaLookup = DnsLookup<CaaRecord>;

/** Who has which address: the addresses of a name, IPv4 before IPv6, and the names of an address. */
export type HostLookup = { readonly addresses: DnsLookup<string>; readonly names: DnsLookup<string> };

/**
 * The addresses at which this machine reaches a host, as its own hosts file and then the DNS say: each once, and without those to
 * which it has no way, as of IPv6, unless there are no others. An address is its own. Rejects as {@link DnsLookup}.
 */
export type HostFinder = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

/** Each record's text as one, whatever pieces it was sent in. */
export type TxtLookup = DnsLookup<string>;
