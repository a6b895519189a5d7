import type { Tools } from "../ports/index.ts";
import type { RunListener } from "../reconcile/index.ts";
import type { ChannelKind } from "./kind.ts";

export type { ChannelKind };

/** Every channel. One is used where its settings are there. */
export const CHANNELS: readonly ChannelKind<unknown>[] = [];

/** What hears of each run: the channels that have settings, by the names of their kinds. Nothing is made before the first run. */
export function openChannels(
  kinds: readonly ChannelKind<unknown>[],
  settings: Readonly<Record<string, unknown>>,
  tools: Tools,
): RunListener[] {
  return kinds.flatMap((kind) => {
    const { name } = kind;
    if (settings[name] === undefined) return [];
    let channel: Omit<RunListener, "name"> | undefined;
    return { name, after: (...heard) => (channel ??= kind.listener(settings[name], tools)).after(...heard) };
  });
}
