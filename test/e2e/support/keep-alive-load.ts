import { once } from "node:events";
import { Agent, request } from "node:https";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** What a load has met. */
export type LoadReport = {
  readonly requests: number;
  /** One line for each request that did not get a whole answer with status 200. */
  readonly failures: readonly string[];
  /** TCP connections that the clients had to open. */
  readonly connections: number;
};

/** How the load is made. */
export type LoadOptions = {
  readonly port: number;
  /** SNI and Host. */
  readonly name: string;
  /** Clients at the same time; each keeps one connection and sends its next request on it. */
  readonly clients: number;
  /** The pause of a client between an answer and its next request, in milliseconds; `random` gives a number in [0, 1). */
  readonly longestPauseMs: number;
  readonly random: () => number;
};

/** Starts clients that never send a request twice; `stop` gives what they met once the requests under way have ended; it may run twice. */
export function startLoad(options: LoadOptions): { stop(): Promise<LoadReport> } {
  const stopping = new AbortController();
  const tally = { requests: 0, failures: [] as string[], connections: 0 };
  const clients = Array.from({ length: options.clients }, () => runClient(options, tally, stopping.signal));
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(clients);
      return tally;
    },
  };
}

type Tally = { requests: number; failures: string[]; connections: number };

async function runClient(options: LoadOptions, tally: Tally, stopping: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  try {
    while (!stopping.aborted) {
      tally.requests += 1;
      await ask(options, agent, tally).catch((thrown: unknown) => {
        tally.failures.push(`${new Date().toISOString()} ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      });
      await sleep(options.random() * options.longestPauseMs);
    }
  } finally {
    agent.destroy();
  }
}

async function ask({ port, name }: LoadOptions, agent: Agent, tally: Tally): Promise<void> {
  const asked = request({
    host: "127.0.0.1",
    port,
    servername: name,
    headers: { host: name },
    agent,
    signal: AbortSignal.timeout(10_000),
  });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  if (!asked.reusedSocket) tally.connections += 1;
  await answer.setEncoding("utf8").toArray();
  if (answer.statusCode !== 200 || !answer.complete) throw new Error(`answered ${answer.statusCode}`);
}
