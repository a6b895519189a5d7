import { describe, expect, onTestFinished, test } from "vitest";
import { KINDS } from "../../../src/app/build.ts";
import { CHANNELS, openChannels, type ChannelKind } from "../../../src/notify/index.ts";
import type { Tools } from "../../../src/ports/index.ts";
import { createLoop, type RunListener, type RunReport } from "../../../src/reconcile/index.ts";
import {
  describeSettings,
  digestSettings,
  formatMistake,
  parseConfig,
  settingsWith,
} from "../../../src/settings/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";

const unused = () => {
  throw new Error("not for this channel");
};

/** A channel that sends what is wrong to an address; `after` is put in the place of the sending. */
function testChannel(name: string, after?: RunListener["after"]) {
  const sent: string[] = [];
  let made = 0;
  const setting = `CERTBOT_${name.toUpperCase()}`;
  const kind: ChannelKind<string> = {
    name,
    rows: [{ name: setting, isSecret: true, doc: "Where to." }],
    read: (settings) => {
      const address = settings.secret(setting)?.reveal();
      if (address?.startsWith("test://") === false) settings.mistake(setting, "is no address", "test://…");
      return address;
    },
    listener: (address) => {
      made += 1;
      const send: RunListener["after"] = ({ problems }) =>
        void sent.push(`${address}: ${problems.map(({ code }) => code).join()}`);
      return { after: after ?? send };
    },
  };
  return { kind, sent, made: () => made };
}

const read = (environment: Readonly<Record<string, string>>, ...kinds: readonly ChannelKind<unknown>[]) =>
  parseConfig({ environment, isCronExpression: () => true }, { ...KINDS, channels: kinds });

/** A daemon's loop whose runs all find the CA down, heard by these channels. */
function daemon(environment: Readonly<Record<string, string>>, ...kinds: readonly ChannelKind<unknown>[]) {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const [log, clock] = [collectLog(), instantClock()];
  const tools: Tools = { clock, log, random: unused, http: unused, run: unused, txt: unused, notebook: unused };
  const listeners = openChannels(kinds, read(environment, ...kinds).channels, tools);
  const failure = { code: "ACME_UNREACHABLE", message: "the CA is down", remedy: "Wait." };
  const nothing = { certificates: [], deploys: [], targetsOff: [] };
  const reconcile = (): Promise<RunReport> =>
    Promise.resolve({ startedAt: clock.now(), finishedAt: clock.now(), ...nothing, failure });
  const loop = createLoop({ reconcile, clock, log, listeners, signal: stop.signal });
  const run = () => loop.command({ trigger: "command", isForced: false, isRehearsal: false }, log, stop.signal);
  return { run, log };
}

const failuresIn = (log: ReturnType<typeof collectLog>) =>
  log.lines
    .filter(({ event }) => event === "listener.failed")
    .map(({ fields }) => [fields["listener"], fields["code"], fields["message"]]);

describe("a channel", () => {
  test("is made once and hears each run where its settings are there, and is nothing where they aren't", async () => {
    const [used, other] = [testChannel("used"), testChannel("other")];
    const { run, log } = daemon({ CERTBOT_USED: "test://me" }, used.kind, other.kind);
    for (let count = 1; count <= 2; count += 1) {
      await run();
      await expect.poll(() => used.sent).toEqual(Array(count).fill("test://me: ACME_UNREACHABLE"));
    }
    expect([used.made(), other.made()]).toEqual([1, 0]);
    expect(failuresIn(log)).toEqual([]);
  });

  test("has its mistakes told with all others, and its secrets shown to nobody", () => {
    const { kind } = testChannel("used");
    const wrong = { CERTBOT_USED: "http://hunter2", CERTBOT_KEY_TYPE: "dsa" };
    const mistakes = (environment: Parameters<typeof read>[0]) => read(environment, kind).mistakes.map(formatMistake);
    expect(mistakes(wrong)).toEqual([
      expect.stringContaining("CERTBOT_KEY_TYPE"),
      "CERTBOT_USED: is no address; allowed: test://…",
    ]);
    expect(mistakes({ CERTBOT_USD: "test://me" })).toEqual([expect.stringContaining("did you mean CERTBOT_USED?")]);
    const shown = describeSettings({ environment: wrong }, settingsWith({ ...KINDS, channels: [kind] }));
    expect(shown).toContain("CERTBOT_USED: [redacted]");
  });

  test("makes no failed order worth a new try", () => {
    const { kind } = testChannel("used");
    expect(digestSettings(read({ CERTBOT_USED: "test://me" }, kind))).toBe(digestSettings(read({})));
  });

  test("that can't be made, throws or hangs fails no run and keeps no other from hearing", async () => {
    const unmade: ChannelKind<string> = {
      ...testChannel("unmade").kind,
      listener: () => {
        throw new Error("no address book");
      },
    };
    const throwing = testChannel("throwing", () => Promise.reject(new Error("no network")));
    const hanging = testChannel("hanging", () => new Promise(() => undefined));
    const good = testChannel("good");
    const kinds = [unmade, throwing.kind, hanging.kind, good.kind];
    const environment = Object.fromEntries(kinds.map(({ rows }) => [rows[0]?.name ?? "", "test://me"]));
    const { run, log } = daemon(environment, ...kinds);
    expect(await run()).toMatchObject({ failure: { code: "ACME_UNREACHABLE" } });
    await expect.poll(() => failuresIn(log)).toHaveLength(3);
    expect(failuresIn(log)).toEqual([
      ["unmade", "LISTENER_FAILED", "no address book"],
      ["throwing", "LISTENER_FAILED", "no network"],
      ["hanging", "LISTENER_FAILED", "it took longer than 30 s"],
    ]);
    expect(good.sent).toHaveLength(1);
  });
});

test("the list names each channel and each setting once", () => {
  for (const names of [CHANNELS.map(({ name }) => name), settingsWith(KINDS).map(({ name }) => name)])
    expect(new Set(names).size).toBe(names.length);
});
