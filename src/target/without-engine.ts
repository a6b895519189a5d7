import type { WayWithoutEngine } from "../ports/index.ts";
import { joined, type Deployment, type DeploymentOptions, type WithoutEngine } from "./deployment.ts";
import { REAL_HINTS } from "./docker/own-container.ts";
import { createStorageProbe } from "./docker/storage-probe.ts";
import { urlHost } from "./docker/container-address.ts";
import { nginxPorts } from "./nginx-settings.ts";
import { verified } from "./verified.ts";
import { createWatchedSource } from "./watched.ts";
import { watchedNginx } from "./watched-nginx.ts";

type Parts = WithoutEngine & Pick<DeploymentOptions, "service" | "clock" | "random" | "ownHints">;

/** Builds the way to servers that take over what is on disk by themselves, or by others: what they serve is seen by TLS. */
export function buildWithoutEngine(parts: Parts): Deployment {
  const { ways, service, lookUp, findHost, askForReload, clock, random, ownHints = REAL_HINTS } = parts;
  const ask = () => askForReload(clock.now());
  const sources = ways.map((way) => {
    const isWatch = way.kind === "watch";
    const servers = isWatch ? watchedNginx({ ...way, service, lookUp }) : verified(way, findHost, ask);
    return createWatchedSource({ ...servers, clock, random });
  });
  return {
    targets: joined(sources),
    front: { httpUrl: () => Promise.resolve(frontOf(ways, service)) },
    storageOf: (folder) => createStorageProbe({ ownHints, folder }),
  };
}

// Our nginx shows the challenges wherever it is. On another host port 80 is the CA's, whatever port TLS has.
function frontOf(ways: readonly WayWithoutEngine[], service: string): string | undefined {
  const own = ways.find((way) => way.kind === "watch");
  if (own) return `http://${service}:${nginxPorts({ env: own.nginx }).http}`;
  const [other] = ways.filter((way) => way.kind === "verify");
  return other && `http://${urlHost(other.host)}:80`;
}
