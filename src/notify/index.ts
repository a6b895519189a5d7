import type { Kind, Tools } from "../ports/index.ts";
import type { RunListener } from "../reconcile/index.ts";

/** A way to tell somebody how things are. Each is a file of this folder and a line of {@link CHANNELS}. */
export interface ChannelKind<Settings> extends Kind<Settings> {
  /** Makes what hears of the runs of a process. That, or its hearing, may fail or take long: it is told in the log. */
  listener(settings: Settings, tools: Tools): Omit<RunListener, "name">;
}

/** Every channel. One is used where its settings are there. */
export const CHANNELS: readonly ChannelKind<unknown>[] = [];

/** What hears of each run: the channels that have settings, by the names of their kinds. Nothing is made before the first run. */
export function openChannels(
  kinds: readonly ChannelKind<unknown>[],
  settings: Readonly<Record<string, unknown>>,
  tools: Tools,
): RunListener[] {
  const chosen = kinds.filter(({ name }) => settings[name] !== undefined);
  return chosen.map((kind) => {
    const { name } = kind;
    let channel: Omit<RunListener, "name"> | undefined;
    return { name, after: (...heard) => (channel ??= kind.listener(settings[name], tools)).after(...heard) };
  });
}
