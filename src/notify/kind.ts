import type { Kind, Tools } from "../ports/index.ts";
import type { RunListener } from "../reconcile/index.ts";

/** A way to tell somebody how things are. Each is a file of this folder and a line of its list. */
export interface ChannelKind<Settings> extends Kind<Settings> {
  /** Makes what hears of the runs of a process. That, or its hearing, may fail or take long: it is told in the log. */
  listener(settings: Settings, tools: Tools): Omit<RunListener, "name">;
}
