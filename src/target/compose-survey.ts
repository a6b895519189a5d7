import { composeProject, composeService, projectFilter, replicaName } from "./compose-labels.ts";
import type { OwnPlace } from "./docker/container-address.ts";
import type { Container, Labels } from "./docker/container.ts";
import type { Engine } from "./docker/engine.ts";
import { findOwnContainer, type OwnContainer, type OwnContainerParts } from "./docker/own-container.ts";
import { composeProjectUnknown } from "./errors.ts";
import { hasOurs } from "./labels.ts";

/** What to search for, and with what. */
export type SurveyParts = OwnContainerParts & {
  /** The compose project; unset: the one that our own container belongs to. */
  readonly project: string | undefined;
  /** Its services that are deployed to without any label. */
  readonly services: readonly string[];
  /**
   * `default`: nobody has named these. `named`: an operator has, and each is to be found. `another`: of a project that isn't ours,
   * where nothing is a target that isn't named.
   */
  readonly scope: "default" | "named" | "another";
};

/** Where we are. */
export type Surroundings = { readonly project: string; readonly ownPlace: OwnPlace };

/** One container that may be a target, running or not. */
export type Replica = { readonly name: string; readonly service: string; readonly container: Container };

/** What there is in our project: what may be a target, and the names of all services. */
export type Survey = Surroundings & { readonly replicas: readonly Replica[]; readonly services: readonly string[] };

/** Finds out our compose project and the networks that we are in. Throws COMPOSE_PROJECT_UNKNOWN, or what the engine throws. */
export async function findSurroundings(parts: SurveyParts, signal: AbortSignal): Promise<Surroundings> {
  const own = await findOwnContainer(parts, signal);
  const project = parts.project ?? projectOf(own, parts.engine.endpoint);
  return {
    project,
    ownPlace: own.kind === "found" ? await withNetworks(parts.engine, own.container, signal) : undefined,
  };
}

type Wanted = Pick<SurveyParts, "services" | "scope">;

/** Whether a container may be a target: its service is one of ours, or it has our label. Those of `docker compose run` serve nobody. */
export function mayBeTarget({ services, scope }: Wanted, labels: Labels): boolean {
  const own = composeService(labels);
  if (own === undefined) return false;
  return services.includes(own) || (scope !== "another" && hasOurs(labels));
}

/** A target's name, `nginx-1`; of another project's, `project/nginx-1`. */
export function targetName({ scope }: Wanted, labels: Labels, fallback: string): string {
  const name = replicaName(labels, fallback);
  return scope === "another" ? `${composeProject(labels)}/${name}` : name;
}

/** All containers of our project that may be targets, by name. Throws COMPOSE_PROJECT_UNKNOWN, or what the engine throws. */
export async function surveyProject(parts: SurveyParts, signal: AbortSignal): Promise<Survey> {
  const { engine } = parts;
  const surroundings = await findSurroundings(parts, signal);
  const listed = await engine.list(projectFilter(surroundings.project), signal);
  const asked = listed.filter(({ labels }) => mayBeTarget(parts, labels));
  const inspected = await Promise.all(asked.map(({ id }) => inspectReplica(parts, id, signal)));
  const services = new Set(listed.flatMap(({ labels }) => composeService(labels) ?? []));
  return {
    ...surroundings,
    replicas: onePerName(inspected.filter((replica) => replica !== undefined)),
    services: [...services].sort(),
  };
}

function projectOf(own: OwnContainer, endpoint: string): string {
  const project = own.kind === "found" ? composeProject(own.container.labels) : undefined;
  if (project !== undefined) return project;
  if (own.kind === "unknown-to-engine")
    throw composeProjectUnknown(
      `the Docker engine at ${endpoint} does not know our own container ${own.id.slice(0, 12)}`,
      "Set DOCKER_HOST to the engine that runs this container.",
    );
  throw composeProjectUnknown(
    own.kind === "none"
      ? "this process does not seem to run in a container, so its compose project is unknown"
      : `our own container ${own.container.name} was not started by docker compose`,
    "Start this container with docker compose, in the compose file that has the nginx service.",
  );
}

// A container may go between the list and this.
async function inspectReplica(parts: SurveyParts, id: string, signal: AbortSignal): Promise<Replica | undefined> {
  const { engine } = parts;
  const container = await engine.inspect(id, signal);
  if (container === undefined) return undefined;
  return {
    name: targetName(parts, container.labels, container.name),
    service: composeService(container.labels) ?? "",
    container: await withNetworks(engine, container, signal),
  };
}

// With `network_mode: service:x` a container has no networks of its own: they are those of x.
async function withNetworks(engine: Engine, container: Container, signal: AbortSignal): Promise<Container> {
  if (container.namespaceOf === container.id) return container;
  const owner = await engine.inspect(container.namespaceOf, signal);
  if (owner === undefined) return container;
  return { ...container, networks: owner.networks, networkMode: owner.networkMode, namespaceOf: owner.id };
}

// While compose makes a container anew, the old and the new one have the same number for a moment; the running one counts.
function onePerName(replicas: readonly Replica[]): Replica[] {
  const byName = new Map<string, Replica>();
  for (const replica of replicas) {
    const known = byName.get(replica.name);
    if (known === undefined || known.container.status !== "running") byName.set(replica.name, replica);
  }
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}
