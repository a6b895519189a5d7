import { readFile } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { join } from "node:path";
import { hasErrno } from "../../certificate/index.ts";
import { DockerHostError } from "./engine-errors.ts";

/** Where the Docker engine listens. */
export type EngineAddress =
  | { readonly kind: "socket"; readonly socketPath: string }
  /** `certPath`: the folder with ca.pem, cert.pem and key.pem; TLS is spoken exactly where it is there. IPv6 without brackets. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly certPath?: string | undefined };

/** The address as an operator writes it: a socket's path, or a URL. */
export function describeEngineAddress(address: EngineAddress): string {
  if (address.kind === "socket") return address.socketPath;
  const { host, port, certPath } = address;
  return `${certPath === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * The client library's options for this address. Every value is given, also the unset ones: what is left out it reads from
 * the environment. Throws DockerHostError when a certificate file can't be read.
 */
export async function connectOptions(address: EngineAddress) {
  // Each request has its own connection: an idle one would be cut by a restart of the engine, in the middle of the next request.
  if (address.kind === "socket") {
    const agent = new HttpAgent({ keepAlive: false });
    return {
      socketPath: address.socketPath,
      host: undefined,
      port: undefined,
      protocol: "http" as const,
      agent,
      ...NO_TLS,
    };
  }
  const { host, port, certPath } = address;
  if (certPath === undefined) {
    const agent = new HttpAgent({ keepAlive: false });
    return { socketPath: undefined, host, port, protocol: "http" as const, agent, ...NO_TLS };
  }
  const agent = new HttpsAgent({ keepAlive: false });
  return { socketPath: undefined, host, port, protocol: "https" as const, agent, ...(await readTlsFiles(certPath)) };
}

const NO_TLS = { ca: undefined, cert: undefined, key: undefined, timeout: undefined };

async function readTlsFiles(folder: string) {
  const ca = await readPem(join(folder, "ca.pem"));
  const cert = await readPem(join(folder, "cert.pem"), { isOptional: true });
  const key = await readPem(join(folder, "key.pem"), { isOptional: true });
  return { ca, cert, key, timeout: undefined };
}

async function readPem(path: string, options: { readonly isOptional?: boolean } = {}): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (options.isOptional && hasErrno(cause, "ENOENT")) return undefined;
    throw new DockerHostError(
      `could not read ${path}, which DOCKER_CERT_PATH asks for: ${(cause as Error).message}`,
      "Mount the folder with ca.pem, cert.pem and key.pem, and set DOCKER_CERT_PATH to it.",
      cause,
    );
  }
}
