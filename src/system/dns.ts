import { addAbortListener } from "node:events";
import { Resolver } from "node:dns/promises";
import { hasErrno } from "../certificate/index.ts";
import type { CaaLookup, CaaRecord, TxtLookup } from "../ports/index.ts";

const TIMEOUT_MS = 5000;

/** Asks for CAA records (RFC 8659), in 5 s at most. */
export const lookUpCaa: CaaLookup = async (name, signal, servers) =>
  (await ask((resolver) => resolver.resolveCaa(name), signal, servers)).flatMap(readCaa);

/** Asks for TXT records, in 5 s at most. */
export const lookUpTxt: TxtLookup = async (name, signal, servers) =>
  (await ask((resolver) => resolver.resolveTxt(name), signal, servers)).map((pieces) => pieces.join(""));

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
