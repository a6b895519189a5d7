import type { Container, Labels } from "./docker/container.ts";
import { TargetLabelError } from "./errors.ts";

/** The label by which an operator says on which port a target speaks TLS. */
export const PORT_LABEL = "cert-sidecar.port";

/** Why HTTPS may be off in this nginx; undefined where no word says so. Whether it is shows only a look at its port. */
export function whyHttpsMayBeOff(container: Container): string | undefined {
  const value = container.env["NGINX_HTTPS_ENABLED"]?.trim() ?? "";
  return value.toLowerCase() === "false" ? `NGINX_HTTPS_ENABLED is ${value} there` : undefined;
}

/**
 * The port on which nginx speaks TLS inside its container: the label, else NGINX_SSL_PORT, else 443. A label that the image
 * brings does not count: an operator has not written it. Throws TargetLabelError when the label is no port.
 */
export function tlsPort(target: string, container: Container, imageLabels: Labels): number {
  const label = container.labels[PORT_LABEL];
  if (label === undefined || label === imageLabels[PORT_LABEL]) return readPorts(container).tls;
  const port = readPort(label.trim());
  if (port === undefined)
    throw new TargetLabelError(target, { name: PORT_LABEL, value: label, allowed: "a port from 1 to 65535" });
  return port;
}

/** The port on which nginx answers HTTP inside its container: NGINX_PORT, else 80. */
export function httpPort(container: Container): number {
  return readPorts(container).http;
}

// As nginx's own step reads them, to whom one port for both is a slip, too.
function readPorts({ env }: Container): { readonly http: number; readonly tls: number } {
  const [http, tls] = [readPort(env["NGINX_PORT"]) ?? 80, readPort(env["NGINX_SSL_PORT"]) ?? 443];
  return http === tls ? { http: http === 443 ? 80 : http, tls: 443 } : { http, tls };
}

function readPort(text = ""): number | undefined {
  return /^[1-9]\d{0,4}\r?$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}
