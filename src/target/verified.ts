import type { WayWithoutEngine, HostFinder } from "../ports/index.ts";
import { urlHost } from "./docker/container-address.ts";
import type { ServerWords } from "./kind.ts";
import { explainAlertAlone } from "./tls/alerts.ts";
import type { WatchedServers } from "./watched.ts";

type Verify = Extract<WayWithoutEngine, { kind: "verify" }>;

/** Whatever answers at a host's port, as an nginx on the Docker host: others make it take over what is on disk, when they are asked. */
export function verified({ host, port }: Verify, findHost: HostFinder, ask: WatchedServers["ask"]): WatchedServers {
  const service = `${urlHost(host)}:${port}`;
  return {
    service,
    port,
    words: verifiedWords(port),
    addresses: (signal) => findHost(host, signal),
    nameAt: () => Promise.resolve(undefined),
    unknown: { asked: `for the addresses of "${host}", which CERTBOT_DEPLOY names`, remedy: wayToKnow(host) },
    ask,
  };
}

// The engine knows an address of its host by that word, and gives it to a container whose service says so.
function wayToKnow(host: string): string {
  const [begin, address] =
    host === "host-gateway" ? ["In", host] : ["Check the name in CERTBOT_DEPLOY; where no DNS has it, in", "ADDRESS"];
  return `${begin} the compose file write extra_hosts: ["${host}:${address}"] into the service of this container, certbot in our examples, and run docker compose up -d certbot.`;
}

const LOGS = "systemctl status cert-sidecar-reload.path nginx and journalctl -u cert-sidecar-reload.service";

function verifiedWords(port: number): ServerWords {
  const reach = `let the server listen on port ${port} at that address, not at 127.0.0.1 alone, and let the firewall there pass the network of this container`;
  return {
    nothingListens: `Run systemctl status nginx there, and ${reach}; it is looked at again by itself, and by update-cert.`,
    silent: `Run systemctl status nginx there, and ${reach}.`,
    unreachable: `Check the address in CERTBOT_DEPLOY, and ${reach}.`,
    noCertificate: `Check that port ${port} there is one for TLS, and that a server block of it has this name, a certificate, and ciphers for its kind of key.`,
    isDefault: `Put all IP addresses into one certificate, and let no other server there be the default_server of port ${port}.`,
    explainFailure: (certificate, failed) => explainAlertAlone("the server there", certificate, failed),
    explain: ({ lineage }) => ({
      because: " and has not taken over what is on disk",
      remedy: `Run ${LOGS} there: it must be active, and says what nginx refuses (docs/examples/host-nginx); else check that the server block reads live/${lineage}/ of the folder that is /etc/letsencrypt here, and reload it by hand.`,
    }),
  };
}
