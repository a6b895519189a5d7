import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CADDY_COMMAND, CADDY_ROOT, caddyfile } from "../../support/caddy.ts";
import { docker } from "../../support/docker-command.ts";
import { IMAGES } from "../../support/images.ts";
import { until, type Stack } from "./stack.ts";

/** How the demo CA behaves when it is asked by way of Caddy. */
export type FaultyCaOptions = {
  /** How far its clock is wrong, in milliseconds (default: not at all). */
  readonly clockOffMs?: number;
  /** Answers 503 to each new order. */
  readonly isRefusingOrders?: boolean;
};

/** A CA of its own, that finds the names at nginx. */
export const CADDY_CA = "https://caddy:14000/acme/local/directory";

/** The demo CA by way of Caddy, with its faults. */
export const FAULTY_CA = "https://caddy:14001/dir";

/** The compose file that puts Caddy into a stack. */
export const CADDY_SERVICE = `services:
  caddy:
    image: ${IMAGES.caddy}
    profiles: [demo]
    command: ${JSON.stringify(CADDY_COMMAND)}
    volumes:
      - ./volumes/caddy:/caddy:ro
      - ./volumes/pebble:/pebble:ro
    links: ["nginx:demo.test"]
`;

/** Starts Caddy, and has the sidecar trust it as it trusts the demo CA. */
export async function startCaddyService(stack: Stack, faults: FaultyCaOptions): Promise<void> {
  const folder = join(stack.folder, "volumes/caddy");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "Caddyfile"), `${caddyfile()}${faultyCa(faults)}`);
  await stack.composeOk("up", "-d", "--no-build", "caddy");
  const container = await stack.container("caddy");
  const root = await until("Caddy has its root", () => docker("exec", container, "cat", CADDY_ROOT));
  await appendFile(stack.conf("demo-ca.pem"), `${root}\n`);
}

/** How often the faulty CA has been asked for a new order. */
export async function ordersAskedFor(stack: Stack): Promise<number> {
  return ((await stack.logs("caddy")).match(/"uri":"\/order-plz"/g) ?? []).length;
}

function faultyCa({ clockOffMs = 0, isRefusingOrders = false }: FaultyCaOptions): string {
  const date = new Date(Date.now() + clockOffMs).toUTCString();
  return `https://caddy:14001 {
	tls internal
	log
	${isRefusingOrders ? "respond /order-plz 503" : ""}
	reverse_proxy https://pebble:14000 {
		header_up Host {hostport}
		${clockOffMs === 0 ? "" : `header_down Date "${date}"`}
		transport http {
			tls_server_name pebble
			tls_trust_pool file /pebble/ca.pem
		}
	}
}
`;
}
