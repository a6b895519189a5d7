import { createComposeSource } from "./compose.ts";
import {
  buildDeployment,
  firstOf,
  joined,
  type Choices,
  type Deployment,
  type DeploymentOptions,
} from "./deployment.ts";
import { exec } from "./exec.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";
import { restart } from "./restart.ts";
import { signal } from "./signal.ts";
import type { EngineLine } from "./start-watch.ts";
import { buildWithoutEngine } from "./without-engine.ts";

// What a container can be told to be by its label; the first is what our service is without one.
const TARGET_KINDS: Choices["kinds"] = [nginx, haproxy, exec, restart, signal];

// Where targets are searched for.
const SOURCES: Choices["sources"] = [createComposeSource];

export type { Deployment, DeploymentOptions, EngineLine };

/** Builds the way to all targets; it can't fail. */
export function createDeployment(options: DeploymentOptions): Deployment {
  const { withoutEngine, services } = options;
  const other = withoutEngine && buildWithoutEngine({ ...options, ...withoutEngine });
  if (other && !services) return other;
  const byEngine = buildDeployment(options, { kinds: TARGET_KINDS, sources: SOURCES });
  if (!other) return byEngine;
  const targets = joined([byEngine.targets, other.targets]);
  return { ...byEngine, targets, front: firstOf([byEngine.front, other.front]) };
}
