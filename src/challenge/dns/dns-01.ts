import { createHash } from "node:crypto";
import { createQueues, OperatorError, PlainError, wordsOf } from "../../certificate/index.ts";
import type { ChallengeKind, ChallengeProof, ChallengeSolvers, ChallengeTools, Kind } from "../../ports/index.ts";

/** A TXT record: its whole name, without a dot at the end, and its text. */
export type TxtRecord = { readonly name: string; readonly value: string };

/** What is different from provider to provider. Calls for one name come one at a time; what is no OperatorError becomes one. */
export interface DnsProvider {
  /** Adds the record beside others of its name. May run twice. */
  add(record: TxtRecord, signal: AbortSignal): Promise<void>;
  /** Removes it, found by name and value; succeeds when it is gone. Never touches another value. */
  remove(record: TxtRecord, signal: AbortSignal): Promise<void>;
}

/** A provider that can be chosen: its name is like `dns-01:cloudflare`. */
export interface DnsKind<Settings> extends Kind<Settings> {
  provider(settings: Settings, tools: ChallengeTools): DnsProvider;
}

// certbot has no plugin for it: it reads such a conf, and leaves the renewal of this one certificate to who can do it. The key is
// ours, and certbot drops it where it has renewed the certificate in its own way.
const AUTHENTICATOR = "manual";
const PARAMS = "renewalparams";
const KEY = "cert_sidecar_challenge";

const CALL_TIMEOUT_MS = 60_000;
const SEEN_WITHIN_MS = 60_000;
const POLL_EVERY_MS = 2000;

/** Makes a provider a kind of challenge, which answers DNS-01 (RFC 8555 §8.4) with it. */
export function dnsKind<Settings>(kind: DnsKind<Settings>): ChallengeKind<Settings> {
  const { name, rows } = kind;
  return {
    name,
    rows,
    type: "dns-01",
    authenticator: AUTHENTICATOR,
    read: (settings) => kind.read(settings),
    solvers: (tools) => createSolvers(kind, tools),
    fromConf: (conf, chosen) =>
      conf.text(PARAMS, KEY) === name && chosen !== undefined ? { settings: chosen } : undefined,
    toConf: (conf) => conf.set(PARAMS, KEY, name),
  };
}

function createSolvers<Settings>(kind: DnsKind<Settings>, tools: ChallengeTools): ChallengeSolvers<Settings> {
  const known = new Map<Settings, ReturnType<typeof createRecords>>();
  return {
    with: (settings) => {
      const records = known.get(settings) ?? createRecords(kind.name, kind.provider(settings, tools), tools);
      known.set(settings, records);
      return {
        type: "dns-01",
        present: (proof, signal) => records.add(recordOf(proof), signal),
        cleanUp: (proof) => records.remove(recordOf(proof)),
        selfCheck: (proof, signal) => pollUntilSeen(recordOf(proof), tools, signal),
      };
    },
  };
}

// RFC 8555 §8.4: under the name without its asterisk, so that a name and its wildcard have two records of one name.
function recordOf({ identifier, keyAuthorization }: ChallengeProof): TxtRecord {
  const value = createHash("sha256").update(keyAuthorization).digest("base64url");
  return { name: `_acme-challenge.${identifier.value.replace(/^\*\./, "")}`, value };
}

/** Our records at a provider. Each is in the journal before it is there, so that what a death leaves is taken away by the next order. */
function createRecords(kind: string, provider: DnsProvider, { log, notebook }: ChallengeTools) {
  const journal = notebook<readonly TxtRecord[]>(kind.replaceAll(/[^a-z0-9]+/g, "-"), [], readRecords);
  const oneAtATime = createQueues();
  const shown = new Set<string>();
  let swept: Promise<void> | undefined;
  const call = async (record: TxtRecord, what: "add" | "remove", signal: AbortSignal) => {
    try {
      await provider[what](record, AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]));
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof OperatorError) throw cause;
      throw new PlainError({
        code: "CHALLENGE_DNS", // The DNS provider did not add the record that proves a name, or did not remove it.
        message: `${kind} did not ${what} the TXT record ${record.name}: ${wordsOf(cause)}`,
        remedy: "Look at the provider's words; see whether its credentials may change this zone.",
        cause,
      });
    }
  };
  const takeAway = (record: TxtRecord, signal: AbortSignal) =>
    oneAtATime(record.name, async () => {
      await call(record, "remove", signal);
      await journal.change((records) => without(records, record));
    });
  const sweep = async (signal: AbortSignal) => {
    const left = (await journal.read()).filter((record) => !shown.has(keyOf(record)));
    for (const record of left) {
      await takeAway(record, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        log.warn("challenge.cleanup-failed", { name: record.name, reason: wordsOf(error) });
      });
    }
  };
  const forgetSweep = (error: unknown) => {
    swept = undefined;
    throw error;
  };
  return {
    add: async (record: TxtRecord, signal: AbortSignal) => {
      signal.throwIfAborted();
      shown.add(keyOf(record));
      // Nobody adds while it goes on: what is about to be added may be what was left.
      await (swept ??= sweep(signal).catch(forgetSweep));
      await oneAtATime(record.name, async () => {
        await journal.change((records) => [...without(records, record), record]);
        await call(record, "add", signal);
      });
    },
    remove: (record: TxtRecord) => {
      shown.delete(keyOf(record));
      return takeAway(record, AbortSignal.any([])).catch(forgetSweep);
    },
  };
}

function without(records: readonly TxtRecord[], record: TxtRecord): readonly TxtRecord[] {
  return records.filter((one) => keyOf(one) !== keyOf(record));
}

function keyOf({ name, value }: TxtRecord): string {
  return `${name} ${value}`;
}

function readRecords(json: unknown): readonly TxtRecord[] {
  const isRecord = (one: Partial<Record<string, unknown>> | null) =>
    typeof one?.["name"] === "string" && typeof one["value"] === "string";
  if (Array.isArray(json) && json.every(isRecord)) return json as TxtRecord[];
  throw new Error("it is no list of records");
}

// Advice, never a gate. It asks the name servers that this machine knows, which may have kept an older answer.
async function pollUntilSeen({ name, value }: TxtRecord, { clock, txt }: ChallengeTools, signal: AbortSignal) {
  const giveUpAtMs = clock.now().getTime() + SEEN_WITHIN_MS;
  for (;;) {
    const found = await txt(name, signal).catch((): readonly string[] => []);
    signal.throwIfAborted();
    if (found.includes(value)) return undefined;
    if (clock.now().getTime() >= giveUpAtMs) break;
    await clock.sleep(POLL_EVERY_MS, signal);
  }
  const message = `${name} shows no TXT record ${value} after ${SEEN_WITHIN_MS / 1000} s, as this machine's name servers have it`;
  return { message, remedy: "Look whether your DNS provider shows it; the CA is asked all the same." };
}
