import { KINDS } from "../../src/app/build.ts";
import { parseConfig } from "../../src/settings/index.ts";

/** The Docker engine that this machine's own DOCKER_* variables name, read as the product reads them. */
export function engineUnderTest() {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("DOCKER_")));
  return parseConfig({ environment, isCronExpression: () => true }, KINDS).docker;
}
