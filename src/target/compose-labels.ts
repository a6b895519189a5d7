import type { Labels } from "./docker/container.ts";

/** The labels that Docker Compose puts on what it starts. */
export const COMPOSE_PROJECT = "com.docker.compose.project";
const SERVICE = "com.docker.compose.service";
const CONTAINER_NUMBER = "com.docker.compose.container-number";
const ONE_OFF = "com.docker.compose.oneoff";

/** The compose project a container belongs to; undefined when compose did not start it. */
export function composeProject(labels: Labels): string | undefined {
  return labels[COMPOSE_PROJECT] || undefined;
}

/** The service a container belongs to; undefined for the containers of `docker compose run`, which serve nobody. */
export function composeService(labels: Labels): string | undefined {
  // Compose 2 writes True; the label is compared without case because other implementations write true.
  return labels[ONE_OFF]?.toLowerCase() === "true" ? undefined : labels[SERVICE] || undefined;
}

/** Name of a target, stable when its container is made anew: the service and compose's number of the replica, `nginx-1`. */
export function replicaName(labels: Labels, fallback: string): string {
  const number = labels[CONTAINER_NUMBER];
  return labels[SERVICE] && number ? `${labels[SERVICE]}-${number}` : fallback;
}

/** Label filters, in the engine's form, for all containers of a project. */
export function projectFilter(project: string): string[] {
  return [`${COMPOSE_PROJECT}=${project}`];
}
