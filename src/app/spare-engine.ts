import { statSync } from "node:fs";
import type { LogFields } from "../ports/index.ts";
import type { Config } from "../settings/index.ts";

const EXAMPLES = { watch: "no-socket.yml", verify: "host-nginx/compose.yml" };

/** What to say of a way to Docker that was left open though nobody goes it; undefined where there is none. */
export function findSpareEngine({ deploy, docker }: Pick<Config, "deploy" | "docker">): LogFields | undefined {
  const ways = (deploy ?? []).filter((one) => one.kind !== "service");
  const [way] = ways;
  if (!way || ways.length < (deploy?.length ?? 0)) return undefined;
  const because = `with CERTBOT_DEPLOY=${way.word} nobody needs a way to Docker, and whoever takes this container over has it`;
  if (docker.kind === "tcp") {
    const remedy = "Take DOCKER_HOST out, and this container off the network of the proxy that it names.";
    return { option: "DOCKER_HOST", because, remedy };
  }
  const { socketPath } = docker;
  if (!isSocket(socketPath)) return undefined;
  const remedy = `Take the socket's line out of the compose file, as docs/examples/${EXAMPLES[way.kind]} does.`;
  return { option: socketPath, because, remedy };
}

// Docker makes a folder where the socket of a mount isn't there.
function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}
