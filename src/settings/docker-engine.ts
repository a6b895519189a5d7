import type { DockerEngine } from "../ports/index.ts";
import { ValueProblem } from "./mistake.ts";
import { parsePath } from "./parse-values.ts";
import type { Reading } from "./reading.ts";

const DEFAULT_ENGINE: DockerEngine = { kind: "socket", socketPath: "/var/run/docker.sock" };

// The registered port of Docker's API without TLS; 2376 is the one with it.
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/** Reads `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` as the docker CLI does. With a mistake among them: the socket. */
export function readDockerEngine(reading: Reading): DockerEngine {
  // Half of it is no address to trust: an engine that wants TLS would be spoken to without.
  const { found, isRight } = reading.mistakes.aside(() => readEngine(reading));
  return isRight ? found : DEFAULT_ENGINE;
}

function readEngine(reading: Reading): DockerEngine {
  const certPath = reading.read("DOCKER_CERT_PATH", parsePath);
  const hasTls = reading.read("DOCKER_TLS_VERIFY", parseTlsVerify) ?? false;
  const engine = reading.read("DOCKER_HOST", (text) => parseEngine(text, hasTls)) ?? DEFAULT_ENGINE;
  // The docker CLI, too, takes the two TLS variables for nothing where the engine is a socket.
  if (engine.kind === "socket" || !hasTls) return engine;
  if (reading.text("DOCKER_CERT_PATH") === undefined) {
    const problem = "needs DOCKER_CERT_PATH, the folder with ca.pem, cert.pem and key.pem";
    reading.mistakes.add({ setting: "DOCKER_TLS_VERIFY", problem });
  }
  return { ...engine, certPath };
}

function parseEngine(text: string, hasTls: boolean): DockerEngine {
  const allowed = "unix:///path/of/docker.sock or tcp://host:port";
  if (text === "unix://") return DEFAULT_ENGINE;
  const socketPath = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (socketPath !== undefined) return { kind: "socket", socketPath };
  const url = URL.parse(text.includes("://") ? text : `tcp://${text}`);
  if (url?.protocol !== "tcp:" || url.hostname === "") throw new ValueProblem("is no address we can talk to", allowed);
  const isOnlyHostAndPort = url.username === "" && /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "";
  if (!isOnlyHostAndPort) throw new ValueProblem("has more than a host and a port", allowed);
  const port = url.port === "" ? (hasTls ? TLS_PORT : PLAIN_PORT) : Number(url.port);
  return { kind: "tcp", host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

// For the docker CLI any value means on, 0 and false too: nobody who writes those expects that.
function parseTlsVerify(text: string): boolean {
  if (!/^(0|no|off|false)$/i.test(text)) return true;
  throw new ValueProblem("would turn TLS on, since the docker CLI takes any value so; leave it empty to turn TLS off");
}
