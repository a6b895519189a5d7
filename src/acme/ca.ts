import type { Clock } from "../reconcile/index.ts";
import { NotAnAcmeDirectoryError } from "./connection-errors.ts";
import { NoncePool } from "./nonce-pool.ts";
import { type Directory, readDirectory } from "./objects.ts";
import { parseJson, refusalOf } from "./refusal.ts";
import type { CaReply, Transport } from "./transport.ts";

// A directory changes about once in years. Where it does, a request fails, and a failure forgets it at once.
const DIRECTORY_AGE_MS = 24 * 3600 * 1000;

/** One CA as all its orders share it, for the life of the process: the directory it gave, the nonces it left us. */
export type Ca = {
  readonly directoryUrl: string;
  readonly nonces: NoncePool;
  readonly transport: Transport;
  readonly clock: Clock;
  /** The directory, asked for once a day. Throws OperatorError or the signal's reason. Parallel calls are safe. */
  directory(signal: AbortSignal): Promise<Directory>;
  /** Has the directory asked for anew next time. */
  forgetDirectory(): void;
};

/** Makes the shared part of a CA; nothing is asked yet. */
export function createCa(directoryUrl: string, transport: Transport, clock: Clock): Ca {
  let known: { readonly directory: Directory; readonly askedAt: number } | undefined;
  return {
    directoryUrl,
    nonces: new NoncePool(),
    transport,
    clock,
    directory: async (signal) => {
      const now = clock.now().getTime();
      if (known !== undefined && now - known.askedAt < DIRECTORY_AGE_MS) return known.directory;
      const reply = await transport({ url: directoryUrl, method: "GET", signal });
      const directory = directoryIn(directoryUrl, reply, clock.now());
      known = { directory, askedAt: now };
      return directory;
    },
    forgetDirectory: () => {
      known = undefined;
    },
  };
}

function directoryIn(directoryUrl: string, reply: CaReply, now: Date): Directory {
  const { status, headers, text } = reply;
  if (status === 429 || status >= 500) throw refusalOf(directoryUrl, "give its directory", reply, now);
  const directory = status === 200 ? readDirectory(parseJson(text)) : undefined;
  if (directory !== undefined) return directory;
  const kind = headers["content-type"] ?? "no content type";
  const target = headers["location"] === undefined ? "" : `, a redirect to ${headers["location"]}`;
  throw new NotAnAcmeDirectoryError(directoryUrl, `${status} with ${kind}${target}`);
}
