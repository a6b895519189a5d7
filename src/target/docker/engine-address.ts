import { readFile, stat } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { join } from "node:path";
import { hasErrno } from "../../certificate/index.ts";
import type { DockerEngine } from "../../ports/index.ts";
import { urlHost } from "./container-address.ts";
import { dockerHostUnusable } from "./engine-errors.ts";

/** The address as an operator writes it: a socket's path, or a URL. */
export function describeEngineAddress(address: DockerEngine): string {
  if (address.kind === "socket") return address.socketPath;
  const { host, port, certPath } = address;
  return `${certPath === undefined ? "http" : "https"}://${urlHost(host)}:${port}`;
}

/** Whether the address is a socket whose file the host has no name for any more: what is mounted there is its last link. */
export async function isSocketReplaced(address: DockerEngine): Promise<boolean> {
  if (address.kind !== "socket") return false;
  return (await stat(address.socketPath).catch(() => undefined))?.nlink === 0;
}

const UNSET = { socketPath: undefined, host: undefined, port: undefined, timeout: undefined };
const NO_TLS = { ca: undefined, cert: undefined, key: undefined };

/**
 * The client library's options for this address. Every value is given, also the unset ones: what is left out it reads from
 * the environment. Throws DOCKER_HOST_UNUSABLE when a certificate file can't be read.
 */
export async function connectOptions(address: DockerEngine) {
  const { kind, certPath, ...place } = { certPath: undefined, ...address };
  // Each request has its own connection: an idle one would be cut by a restart of the engine, in the middle of the next request.
  const keepAlive = false;
  return certPath === undefined
    ? { ...UNSET, ...place, protocol: "http" as const, agent: new HttpAgent({ keepAlive }), ...NO_TLS }
    : {
        ...UNSET,
        ...place,
        protocol: "https" as const,
        agent: new HttpsAgent({ keepAlive }),
        ca: await readPem(join(certPath, "ca.pem")),
        cert: await readPem(join(certPath, "cert.pem"), "optional"),
        key: await readPem(join(certPath, "key.pem"), "optional"),
      };
}

async function readPem(path: string, need?: "optional"): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (need === "optional" && hasErrno(cause, "ENOENT")) return undefined;
    const message = `could not read ${path}, which DOCKER_CERT_PATH asks for: ${(cause as Error).message}`;
    const remedy = "Mount the folder with ca.pem, cert.pem and key.pem, and set DOCKER_CERT_PATH to it.";
    throw dockerHostUnusable(message, remedy, cause);
  }
}
