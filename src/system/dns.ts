import { addAbortListener } from "node:events";
import { Resolver } from "node:dns/promises";
import { hasErrno } from "../certificate/index.ts";
import type { CaaLookup, CaaRecord, DnsLookup, HostLookup, TxtLookup } from "../ports/index.ts";

const TIMEOUT_MS = 5000;

/** Asks for CAA records (RFC 8659), in 5 s at most. */
export const lookUpCaa: CaaLookup = async (name, signal, servers) =>
  (await ask((resolver) => resolver.resolveCaa(name), signal, servers)).flatMap(readCaa);

/** Asks for TXT records, in 5 s at most. */
export const lookUpTxt: TxtLookup = async (name, signal, servers) =>
  (await ask((resolver) => resolver.resolveTxt(name), signal, servers)).map((pieces) => pieces.join(""));

const lookUpAddresses: DnsLookup<string> = async (name, signal, servers) => {
  const kinds = await Promise.allSettled([
    ask((resolver) => resolver.resolve4(name), signal, servers),
    ask((resolver) => resolver.resolve6(name), signal, servers),
  ]);
  const found = kinds.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const failed = kinds.find((one) => one.status === "rejected");
  if (found.length === 0 && failed) throw failed.reason;
  return found;
};

/** Asks for A and AAAA records, and for PTR records, each in 5 s at most; where one kind of address fails, the other counts. */
export const lookUpHost: HostLookup = {
  addresses: lookUpAddresses,
  names: (address, signal, servers) => ask((resolver) => resolver.reverse(address), signal, servers),
};

type Question<Answer> = (resolver: Resolver) => Promise<Answer[]>;

async function ask<Answer>(question: Question<Answer>, signal: AbortSignal, servers?: readonly string[]) {
  signal.throwIfAborted();
  const resolver = new Resolver({ timeout: 1500, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  using _timer = setTimeout(() => resolver.cancel(), TIMEOUT_MS);
  using _onAbort = addAbortListener(signal, () => resolver.cancel());
  try {
    return await question(resolver);
  } catch (error) {
    signal.throwIfAborted();
    if (hasErrno(error, "ENODATA", "ENOTFOUND")) return [];
    throw error;
  }
}

// Node.js gives { critical: flags, <tag>: value }.
function readCaa({ critical, ...rest }: { readonly critical: number }): CaaRecord[] {
  return Object.entries(rest).flatMap(([tag, value]) =>
    typeof value === "string" && tag !== "type" ? { flags: critical, tag, value } : [],
  );
}
