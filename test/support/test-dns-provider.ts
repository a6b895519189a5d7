import { type DnsProvider, dnsKind, type TxtRecord } from "../../src/challenge/index.ts";
import type { ChallengeTools } from "../../src/ports/index.ts";
import { createNotebooks } from "../../src/store/index.ts";
import { lookUpTxt } from "../../src/system/index.ts";
import { collectLog } from "./collected-log.ts";
import { startDnsServer, type DnsRecord } from "./dns-server.ts";
import { instantClock } from "./instant-clock.ts";
import { folderInMemory } from "./temporary-folder.ts";

/**
 * A provider whose zone a real DNS server on loopback shows, and the kind of challenge that it makes. `publish` shows a name's
 * records somewhere else too.
 */
export async function testDnsProvider(publish?: (name: string, values: readonly string[]) => Promise<void>) {
  const zone: Record<string, DnsRecord[]> = {};
  const server = await startDnsServer(zone);
  const root = await folderInMemory();
  const log = collectLog();
  const calls: string[] = [];
  let isDown = false;
  const held = new Map<string, Promise<void>>();
  const call = async (what: string, { name, value }: TxtRecord) => {
    calls.push(`${what} ${name} ${value}`);
    await held.get(name);
    if (isDown) throw new Error("the provider is down");
  };
  const texts = (name: string) => (zone[name] ?? []).flatMap((record) => ("txt" in record ? record.txt.join("") : []));
  const provider: DnsProvider = {
    add: async (record) => {
      await call("add", record);
      if (!texts(record.name).includes(record.value)) put(record);
      await publish?.(record.name, texts(record.name));
    },
    remove: async (record) => {
      await call("remove", record);
      const left = texts(record.name).filter((value) => value !== record.value);
      zone[record.name] = left.map((value) => ({ txt: [value] }));
      await publish?.(record.name, left);
    },
  };
  const put = ({ name, value }: TxtRecord) => void (zone[name] = [...(zone[name] ?? []), { txt: [value] }]);
  const kind = dnsKind<{ reveal(): string } | string>({
    name: "dns-01:test",
    rows: [{ name: "CERTBOT_TEST_TOKEN", isSecret: true, doc: "The provider's token." }],
    read: (settings) => {
      const token = settings.secret("CERTBOT_TEST_TOKEN");
      if (token === undefined) settings.mistake("CERTBOT_TEST_TOKEN", "is needed for dns-01:test");
      return token;
    },
    provider: () => provider,
  });
  const unused = () => Promise.reject(new Error("not for this provider"));
  const tools = (): ChallengeTools => ({
    clock: instantClock(),
    log,
    http: unused,
    run: unused,
    txt: (name, signal) => lookUpTxt(name, signal, [server.address]),
    notebook: createNotebooks({ root, log }),
    front: { httpUrl: unused },
  });
  return {
    kind,
    tools,
    log,
    calls,
    texts,
    put,
    /** The solver of a process that has just started. */
    solver: () => kind.solvers(tools()).with("token"),
    /** Keeps calls for a name from ending until what it gives is called. */
    hold: (name: string) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(name, promise);
      return resolve;
    },
    setDown: (is: boolean) => void (isDown = is),
    stop: () => server.stop(),
  };
}
