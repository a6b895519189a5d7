import { excerpt, OperatorError, PlainError } from "../../certificate/index.ts";

/** One thing asked of the Docker engine, in words that follow "could not". */
export type EngineRequest = {
  /** Where the engine is, as an operator would write it: a socket's path or a URL. */
  readonly endpoint: string;
  readonly doing: string;
};

const WITHOUT = "do without by CERTBOT_DEPLOY=nginx:watch for both containers (docs/examples/no-socket.yml)";

/** The Docker engine doesn't answer. Mount its socket, or set `DOCKER_HOST`; `CERTBOT_DEPLOY=nginx:watch` needs neither. */
export function dockerUnreachable({ endpoint, doing }: EngineRequest, words: string, cause?: unknown): PlainError {
  const message = `could not ${doing}: the Docker engine at ${endpoint} can't be reached: ${words}`;
  const remedy = endpoint.startsWith("/")
    ? `Mount the engine's socket on ${endpoint} (volumes: /var/run/docker.sock:/var/run/docker.sock), set DOCKER_HOST to a socket proxy, or ${WITHOUT}.`
    : `Check that the engine or socket proxy that DOCKER_HOST names is running and on a network of this container, or ${WITHOUT}.`;
  return new PlainError({ code: "DOCKER_UNREACHABLE", message, remedy, cause });
}

/** The mounted socket is a dead file: the host has a new one. The sidecar ends once by itself, for its restart to mount that. */
export function dockerSocketReplaced({ endpoint, doing }: EngineRequest, cause: unknown): PlainError {
  const message = `could not ${doing}: ${endpoint}, which is mounted here, is no longer the Docker engine's socket: the host has a new one`;
  const remedy = "Run docker compose up -d --force-recreate certbot, which mounts the new socket.";
  return new PlainError({ code: "DOCKER_SOCKET_REPLACED", message, remedy, cause });
}

const RULES =
  "the rules in docs/examples/socket-proxy (in Tecnativa's image CONTAINERS, EXEC, IMAGES, EVENTS and POST, which together are root on the host)";

/** Docker, or a proxy before it, doesn't allow a call. The message says which. */
function dockerDenied({ endpoint, doing }: EngineRequest, words: string, cause: unknown): PlainError {
  const message = `could not ${doing}: the Docker engine at ${endpoint} refuses it: ${words}`;
  const remedy = endpoint.startsWith("/")
    ? `Run this container as root or in the group that owns ${endpoint}; behind a socket proxy use ${RULES}.`
    : `Let the socket proxy allow it, by ${RULES}.`;
  return new PlainError({ code: "DOCKER_DENIED", message, remedy, cause });
}

type RequestFailure = { readonly status?: number | undefined; readonly cause?: unknown };

/** The Docker engine failed a request: read its words. */
export class DockerRequestError extends OperatorError {
  readonly code = "DOCKER_REQUEST_FAILED";
  readonly remedy = "Wait for the next check, which asks again; if it stays, read the Docker engine's own log.";
  readonly status: number | undefined; // HTTP's; undefined where the answer was cut off

  constructor({ endpoint, doing }: EngineRequest, words: string, { status, cause }: RequestFailure = {}) {
    super(`could not ${doing} at the Docker engine ${endpoint}: ${words}`, { cause });
    this.status = status;
  }
}

/** `DOCKER_HOST`, or the certificates for it, can't be used. */
export function dockerHostUnusable(message: string, remedy: string, cause: unknown): PlainError {
  return new PlainError({ code: "DOCKER_HOST_UNUSABLE", message, remedy, cause });
}

// Answers of a wrong credential (401), of most proxies (403), and of those that filter by method (405).
const DENIED = new Set([401, 403, 405]);

const UNREACHABLE = /^(ECONNREFUSED|ENOENT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTSOCK|ENOTDIR)$/;

// How Node and OpenSSL name a certificate that is unsigned, expired, or another host's.
const UNTRUSTED = /^(CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT_ALTNAME)/;

/** Makes an OperatorError of what the client library threw. One that is already an OperatorError stays what it is. */
export function toEngineError(request: EngineRequest, thrown: unknown): OperatorError {
  if (thrown instanceof OperatorError) return thrown;
  const { status, code, words } = readFailure(thrown);
  if (status !== undefined) {
    const said = `HTTP ${status}: ${words}`;
    if (DENIED.has(status)) return dockerDenied(request, said, thrown);
    return new DockerRequestError(request, said, { status, cause: thrown });
  }
  if (code === "EACCES" || code === "EPERM") return dockerDenied(request, words, thrown);
  if (UNTRUSTED.test(code)) {
    const message = `could not ${request.doing}: the Docker engine at ${request.endpoint} is not trusted: ${words}`;
    const remedy = "Put the certificate that signed the engine's own into ca.pem of DOCKER_CERT_PATH.";
    return dockerHostUnusable(message, remedy, thrown);
  }
  if (UNREACHABLE.test(code)) return dockerUnreachable(request, words, thrown);
  return new DockerRequestError(request, words, { cause: thrown });
}

type EngineFailure = { readonly status: number | undefined; readonly code: string; readonly words: string };

function readFailure(thrown: unknown): EngineFailure {
  if (!(thrown instanceof Error)) return { status: undefined, code: "", words: String(thrown) };
  // The library's own fields; its message wraps them in "(HTTP code 404) no such container - … ".
  const { statusCode, json, code } = thrown as { statusCode?: unknown; json?: unknown; code?: unknown };
  const status = typeof statusCode === "number" ? statusCode : undefined;
  const codeText = typeof code === "string" ? code : "";
  // A refused connection to a name with several addresses is an AggregateError with an empty message.
  return { status, code: codeText, words: bodyWords(json) ?? (thrown.message.trim() || codeText) };
}

// The engine answers {"message": "…"}; a proxy answers with a page of its own.
function bodyWords(body: unknown): string | undefined {
  if (Buffer.isBuffer(body)) return excerpt(body.toString("utf8"), 300) || undefined;
  const message: unknown = typeof body === "object" && body !== null && "message" in body ? body.message : undefined;
  return typeof message === "string" ? message : undefined;
}
