import { createSocket } from "node:dgram";
import { addAbortListener } from "node:events";
import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { hasErrno } from "../certificate/index.ts";
import type { HostFinder } from "../ports/index.ts";

const TIMEOUT_MS = 5000;

/** Asks as programs of this machine do, by getaddrinfo(3), for 5 s at most. */
export const findHost: HostFinder = async (host, signal) => {
  const found = await lookUp(host, signal);
  const addresses = [...new Set(found.map(({ address }) => address))];
  const reachable = await Promise.all(addresses.map(hasRoute));
  const near = addresses.filter((_, index) => reachable[index]);
  return near.length > 0 ? near : addresses;
};

// A call of getaddrinfo can't be broken off: it is left behind.
async function lookUp(host: string, signal: AbortSignal) {
  signal.throwIfAborted();
  const { promise: given, reject } = Promise.withResolvers<never>();
  using _timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  using _onAbort = addAbortListener(signal, () => reject(signal.reason));
  try {
    return await Promise.race([lookup(host, { all: true }), given]);
  } catch (thrown) {
    signal.throwIfAborted();
    if (hasErrno(thrown, "ENOTFOUND")) return [];
    throw thrown;
  }
}

// To connect a UDP socket sends nothing: the kernel looks into its routes.
function hasRoute(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    const end = (isThere: boolean) => {
      socket.close();
      resolve(isThere);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false));
    socket.connect(9, address);
  });
}
