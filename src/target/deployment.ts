import type { Clock, DockerEngine, FrontDoor, HostFinder, HostLookup, Log, WayWithoutEngine } from "../ports/index.ts";
import type { StorageProbe, TargetSource } from "../reconcile/index.ts";
import { createEngine, type EngineTimeouts } from "./docker/engine.ts";
import { createFrontDoor, type SourceParts } from "./compose.ts";
import { REAL_HINTS, type OwnContainerHints } from "./docker/own-container.ts";
import { createStorageProbe } from "./docker/storage-probe.ts";
import { createTargetTools } from "./tools.ts";

/** What a deployment is made of. */
export type DeploymentOptions = {
  readonly docker: DockerEngine;
  /** The compose service that is deployed to without any label: `nginx`. */
  readonly service: string;
  /** Its compose project; unset: the one that our own container belongs to. */
  readonly project?: string | undefined;
  /** Services that an operator has named in place of that one; those without a project are of ours. */
  readonly services?: readonly NamedService[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** All in milliseconds. */
  readonly timeouts?: Partial<DeploymentTimeouts> | undefined;
  /** Hears how the line to the engine is, while targets are watched. */
  readonly onLine?: SourceParts["onLine"];
  /** Set: servers take over by themselves or by others, and no engine is asked. */
  readonly withoutEngine?: WithoutEngine | undefined;
  /** How this process finds its own container; only tests give another. */
  readonly ownHints?: OwnContainerHints | undefined;
};

/** A compose service. */
type NamedService = { readonly service: string; readonly project?: string | undefined };

/** How servers are found, and asked, with no engine. */
export type WithoutEngine = {
  /** At least one. */
  readonly ways: readonly WayWithoutEngine[];
  readonly lookUp: HostLookup;
  readonly findHost: HostFinder;
  /** Asks whoever makes the server at an address take over what is on disk; `now` is told. Throws OperatorError. */
  readonly askForReload: (now: Date) => Promise<void>;
};

/** Time limits and pauses, in milliseconds. */
export type DeploymentTimeouts = EngineTimeouts &
  Pick<SourceParts, "handshakeMs" | "reconnectFirstMs" | "reconnectLongestMs">;

/** The way to the servers that use the certificates. */
export type Deployment = {
  readonly targets: Required<TargetSource>;
  readonly front: FrontDoor;
  /** Makes the probe that finds out how a folder of this container is stored. */
  readonly storageOf: (folder: string) => StorageProbe;
};

/** What can be chosen of, each in the list that its folder's door has. */
export type Choices = {
  readonly kinds: SourceParts["kinds"];
  readonly sources: readonly ((parts: SourceParts) => TargetSource)[];
};

const DEFAULT_TIMEOUTS: DeploymentTimeouts = {
  callMs: 10_000,
  execMs: 30_000,
  handshakeMs: 5000,
  reconnectFirstMs: 1000,
  reconnectLongestMs: 60_000,
};

/** Builds the parts. Nothing is read, loaded or connected before the first use, so it can't fail. */
export function buildDeployment(options: DeploymentOptions, { kinds, sources }: Choices): Deployment {
  const { docker, clock, log, random } = options;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const engine = createEngine({ docker, clock, timeouts });
  const place = { engine, ownHints: options.ownHints ?? REAL_HINTS };
  const tools = createTargetTools({ engine, clock, log, random, handshakeMs: timeouts.handshakeMs });
  const common = { ...place, ...timeouts, clock, log, random, kinds, tools };
  const all = surveysOf(options).map((survey) => ({ ...common, ...survey }));
  return {
    targets: joined(sources.flatMap((create) => all.map(create))),
    front: firstOf(all.map(createFrontDoor)),
    storageOf: (folder) => createStorageProbe({ ...place, folder }),
  };
}

// Our own project is searched whatever is named, for what has a label; its line to the engine is the one that is heard.
function surveysOf({ service, project, services, onLine }: DeploymentOptions) {
  const byProject = Map.groupBy(services ?? [{ service }], (one) => one.project);
  const namesOf = (some: readonly NamedService[] = []) => [...new Set(some.map((one) => one.service))];
  const others = [...byProject].flatMap(([name, some]) =>
    name === undefined ? [] : [{ project: name, services: namesOf(some), scope: "another" as const }],
  );
  const scope: SourceParts["scope"] = services ? "named" : "default";
  const own = { project: project || undefined, services: namesOf(byProject.get(undefined)), scope, onLine };
  return [own, ...others];
}

/** The first way to a front door that there is. */
export function firstOf(fronts: readonly FrontDoor[]): FrontDoor {
  return {
    httpUrl: async (signal) => {
      for (const front of fronts) {
        const url = await front.httpUrl(signal);
        if (url !== undefined) return url;
      }
      return undefined;
    },
  };
}

/** Makes one source of several. */
export function joined(sources: readonly TargetSource[]): Required<TargetSource> {
  return {
    find: async (signal) => {
      const found = await Promise.all(sources.map((source) => source.find(signal)));
      return {
        targets: found.flatMap(({ targets }) => targets),
        missing: found.flatMap(({ missing }) => missing),
        off: found.flatMap(({ off }) => off),
      };
    },
    watch: async (onStart, signal) => {
      await Promise.all(sources.map(async (source) => source.watch?.(onStart, signal)));
    },
  };
}
