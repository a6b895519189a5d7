import type { Target, Version } from "../../src/reconcile/index.ts";
import { readCopy } from "../../src/target/copy-label.ts";
import { DockerRequestError } from "../../src/target/docker/engine-errors.ts";
import type { ToldKind } from "../../src/target/kind.ts";
import { systemClock } from "../../src/system/index.ts";
import { createTargetTools } from "../../src/target/tools.ts";
import { ENDPOINT, engineWith, type EngineStage } from "./command-engine.ts";
import { instantClock } from "./instant-clock.ts";

/** What a test says of a target that is told. */
export type Told = EngineStage & {
  readonly labels?: Readonly<Record<string, string>>;
  /** Where it speaks TLS; unset: nobody is asked. */
  readonly port?: number;
};

/** A target of such a kind, over an engine that runs commands as a test says; at 10:00 of a day, where no TLS is spoken. */
export function toldStage(kind: ToldKind, argument: string, { labels = {}, port, ...stage }: Told = {}) {
  const { engine, ran, files, container } = engineWith(stage);
  const clock = instantClock(new Date("2026-08-05T10:00:00Z"));
  const common = { random: () => 0.5, handshakeMs: 60_000 };
  const tools = createTargetTools({ engine, clock: port === undefined ? clock : systemClock, ...common });
  const spot = { name: "mail-1", service: "mail", container, wants: () => true };
  const place = port === undefined ? undefined : { ...spot, address: "127.0.0.1", port };
  const target = kind.make({ ...spot, copy: readCopy("mail-1", labels, kind), place }, argument, tools);
  return { target, ran, files, clock };
}

/** Applies one version; gives the failure, of all or of it, or `undefined`. */
export async function applyOne(target: Target, version: Version): Promise<unknown> {
  return target.apply([version], new AbortController().signal).then(
    (failures) => [...failures.values()][0],
    (thrown: unknown) => thrown,
  );
}

/** What the engine says when it doesn't do something. */
export function engineFailed(words: string, status: number): DockerRequestError {
  return new DockerRequestError({ endpoint: ENDPOINT, doing: "do it" }, words, { status });
}
