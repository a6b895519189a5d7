import type { HostLookup } from "../ports/index.ts";
import type { ServerWords } from "./kind.ts";
import { nginxPorts } from "./nginx-settings.ts";
import { explainAlertAlone } from "./tls/alerts.ts";
import type { WatchedServers } from "./watched.ts";

/** What our nginx that takes over by itself is found with. */
export type WatchedNginx = {
  /** The name of all its replicas in Docker's DNS. */
  readonly service: string;
  readonly lookUp: HostLookup;
  /** nginx's own settings, as far as they are known here. */
  readonly nginx: Readonly<Record<string, string>>;
};

/** Our nginx that takes over by itself what is on disk (`nginx/lib/watch.sh`): its replicas are known by DNS. */
export function watchedNginx({ service, lookUp, nginx }: WatchedNginx): WatchedServers {
  return {
    service,
    port: nginxPorts({ env: nginx }).tls,
    words: watchedWords(service),
    addresses: (signal) => lookUp.addresses(service, signal),
    nameAt: async (address, signal) => {
      const hosts = await lookUp.names(address, signal).catch(() => []);
      signal.throwIfAborted();
      return replicaName(service, hosts);
    },
    unknown: {
      asked: `Docker's DNS for the addresses of the service "${service}"`,
      remedy: `Run docker compose up -d ${service}, and let it and this container be on one network of the compose file (with network_mode: host there is no such DNS); it is looked at by itself when it is up.`,
    },
    whyOff: /^false\r?$/.test(nginx["NGINX_HTTPS_ENABLED"] ?? "") ? "NGINX_HTTPS_ENABLED is false" : undefined,
  };
}

// The engine calls a container `project-nginx-1.project_default`. Its name here is that which it has where the engine is asked, so
// that what is remembered of it stays; an address may be another one's tomorrow.
function replicaName(service: string, hosts: readonly string[]): string | undefined {
  const containers = hosts.map((host) => host.split(".")[0] ?? "");
  for (const container of containers) {
    const [end = "", number] = /[-_](\d+)$/.exec(container) ?? [];
    if (number !== undefined && container.slice(0, -end.length).endsWith(service)) return `${service}-${number}`;
  }
  return containers.find((container) => container !== "");
}

function watchedWords(service: string): ServerWords {
  const log = `Run docker compose logs ${service} | grep cert-sidecar`;
  const refused = 'with "until this is mended" says what it refuses';
  const environment = `the service ${service} has our entrypoint, CERTBOT_DEPLOY=nginx:watch in its environment, and the same /etc/letsencrypt as this container`;
  return {
    nothingListens: `${log}, and mend what it names where it says that HTTPS is off; else leave NGINX_HTTPS_ENABLED empty or set it to true and run docker compose up -d ${service}; where TLS is on another port, give this container the same NGINX_SSL_PORT as ${service}.`,
    noCertificate: `${log}: the last line ${refused}; without one check that a server block there has this name.`,
    isDefault: `Put all IP addresses into one certificate, and let no other server of ${service} be the default_server of its TLS port.`,
    explainFailure: (certificate, failed) => explainAlertAlone(service, certificate, failed),
    explain: ({ lineage }) => ({
      because: " and has not taken over what is on disk",
      remedy: `${log}: the last line that names ${lineage} or ${refused}; without one check that ${environment}, and run docker compose restart ${service}.`,
    }),
  };
}
