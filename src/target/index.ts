export { createDeployment } from "./deployment.ts";
export type { Deployment, DeploymentOptions, DeploymentTimeouts, EngineDescription } from "./deployment.ts";
export type { EngineAddress } from "./docker/engine-address.ts";
