export { createDeployment } from "./deployment.ts";
export type { Deployment, DeploymentOptions } from "./deployment.ts";
