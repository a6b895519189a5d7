import type { Container, Labels } from "./container.ts";
import { TargetLabelError } from "./target-errors.ts";

/** The label by which an operator says on which port a target speaks TLS. */
export const PORT_LABEL = "cert-sidecar.port";

const TLS_PORT = 443;
const HTTP_PORT = 80;

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
  const label = ownLabel(container, imageLabels, PORT_LABEL);
  if (label === undefined) return readPort(container.env["NGINX_SSL_PORT"]) ?? TLS_PORT;
  const port = readPort(label);
  if (port === undefined)
    throw new TargetLabelError(target, { name: PORT_LABEL, value: label, allowed: "a port from 1 to 65535" });
  return port;
}

/** The port on which nginx answers HTTP inside its container: NGINX_PORT, else 80. */
export function httpPort(container: Container): number {
  return readPort(container.env["NGINX_PORT"]) ?? HTTP_PORT;
}

function ownLabel(container: Container, imageLabels: Labels, name: string): string | undefined {
  const value = container.labels[name];
  return value === imageLabels[name] ? undefined : value;
}

function readPort(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text?.trim() ?? "") ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
