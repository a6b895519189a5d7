import { isWildcard, mapLimited, readLeaf, type Identifier } from "../certificate/index.ts";
import type { Clock } from "../ports/index.ts";
import {
  ConfigurationRejectedError,
  type Target,
  type ServedCertificate,
  type ServedFinding,
} from "../reconcile/index.ts";
import { urlHost } from "./docker/container-address.ts";
import { DockerRequestError } from "./docker/engine-errors.ts";
import type { Engine } from "./docker/engine.ts";
import type { ExecResult } from "./docker/exec.ts";
import { explainNotServed, isServed, type ConfiguredFile, type Look } from "./tls/served-finding.ts";
import type { Replica } from "./service-survey.ts";
import {
  CertificateStepError,
  ReloadFailedError,
  TargetCommandKilledError,
  TargetCommandMissingError,
  TargetNotRunningError,
} from "./errors.ts";
import { shakeHands } from "./tls/handshake.ts";

/** An nginx in a running container, and how to reach it. */
export type NginxTargetParts = {
  readonly engine: Engine;
  readonly replica: Replica;
  readonly service: string;
  readonly address: string;
  readonly tlsPort: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Time limit of one handshake, in milliseconds. */
  readonly handshakeMs: number;
};

// Our own nginx folder has this script; a foreign nginx has none and reads the files at the paths it was given. A failure of
// the script is always 1, so that 126 and 127 say that there is no shell and therefore no script.
const STEP = "/opt/cert-sidecar/nginx/certificate-step.sh";
const STEP_COMMAND = ["/bin/sh", "-c", `[ ! -f ${STEP} ] || /bin/sh ${STEP} || exit 1`];
const TEST_COMMAND = ["nginx", "-t"];
const RELOAD_COMMAND = ["nginx", "-s", "reload"];
// Each certificate file that the configuration names, and the first certificate in it. A path may be one in nginx.conf's folder.
const FILES_SCRIPT = String.raw`cd /etc/nginx; nginx -T 2>/dev/null |
  sed -nE "s/^[[:space:]]*ssl_certificate[[:space:]]+[\"']?([^[:space:]\"';]+)[\"']?[[:space:]]*;.*/\1/p" | awk '!seen[$0]++' |
  while read -r path; do echo "== $path"; sed "/END CERTIFICATE/q" "$path"; done`;
const FILES_COMMAND = ["/bin/sh", "-c", FILES_SCRIPT];

const HANDSHAKES_AT_ONCE = 4;

// New workers take over within some milliseconds. What is still served after this long has another reason.
const RELOAD_SETTLED_MS = 1000;

/** Makes the target of one running nginx container; it is good for as long as that container runs. */
export function createNginxTarget(parts: NginxTargetParts): Required<Target> {
  const { replica, service, clock } = parts;
  const { name } = replica;
  let reloadedAt: Date | undefined;
  let configured: readonly ConfiguredFile[] | undefined;

  return {
    name,
    wants: () => true,
    tlsCheck: async (certificate, signal) => {
      const finding = await look(parts, certificate, { configured, signal });
      const hasSettled = reloadedAt !== undefined && clock.now().getTime() - reloadedAt.getTime() >= RELOAD_SETTLED_MS;
      if (finding.kind === "served" || !hasSettled || configured !== undefined) return finding;
      configured = await readConfigured(parts, signal);
      return look(parts, certificate, { configured, signal });
    },
    check: async (signal) => {
      const step = await run(parts, STEP_COMMAND, signal);
      if (step.exitCode !== 0 && !couldNotStart(step)) throw new CertificateStepError(name, service, outputOf(step));
      const test = await run(parts, TEST_COMMAND, signal);
      if (couldNotStart(test))
        throw new TargetCommandMissingError(name, service, { argv: TEST_COMMAND, output: outputOf(test) });
      if (test.exitCode !== 0) throw new ConfigurationRejectedError(name, outputOf(test));
    },
    // An exit code of 0 says that the master was signalled, no more: whether it took the certificate is seen by a TLS check.
    apply: async (behind, signal) => {
      if (behind.length === 0) return new Map();
      const reload = await run(parts, RELOAD_COMMAND, signal);
      if (reload.exitCode !== 0) throw new ReloadFailedError(name, service, outputOf(reload));
      reloadedAt = clock.now();
      configured = undefined;
      return new Map();
    },
  };
}

type LookOptions = { readonly configured: readonly ConfiguredFile[] | undefined; readonly signal: AbortSignal };

async function look(
  parts: NginxTargetParts,
  certificate: ServedCertificate,
  options: LookOptions,
): Promise<ServedFinding> {
  const looks = await lookAtEach(parts, certificate, options.signal);
  const [first, ...others] = looks.filter((one) => !isServed(one, certificate));
  if (first === undefined) return { kind: "served" };
  return explainNotServed({
    target: parts.replica.name,
    service: parts.service,
    where: `${urlHost(parts.address)}:${parts.tlsPort}`,
    certificate,
    bad: [first, ...others],
    now: parts.clock.now(),
    configured: options.configured,
  });
}

async function lookAtEach(
  parts: NginxTargetParts,
  { identifiers }: ServedCertificate,
  signal: AbortSignal,
): Promise<Look[]> {
  const { address, tlsPort: port, clock, handshakeMs: ms } = parts;
  let isAnswered = true;
  const looks = await mapLimited(identifiers, HANDSHAKES_AT_ONCE, async (identifier): Promise<Look[]> => {
    // Nobody answers: it is the same for the other names, and each would cost a time limit.
    if (!isAnswered) return [];
    const serverName = serverNameFor(identifier, parts.random);
    const handshake = await shakeHands({ address, port, serverName, clock, ms }, signal);
    if (handshake.kind === "no-connection") isAnswered = false;
    return [{ identifier, handshake }];
  });
  return looks.flat();
}

// For `*.x` a label that no server block of nginx names by itself; for an IP address no name at all (RFC 6066 §3).
function serverNameFor(identifier: Identifier, random: () => number): string | undefined {
  if (identifier.type === "ip") return undefined;
  if (!isWildcard(identifier)) return identifier.value;
  return identifier.value.replace("*", `look-${Math.floor(random() * 36 ** 8).toString(36)}`);
}

// A shell's way to say that a signal ended a command: 137 is SIGKILL.
const KILLED_ABOVE = 128;

// Throws TargetNotRunningError when the container is gone or has stopped, TargetCommandKilledError when it is about to.
async function run(parts: NginxTargetParts, argv: readonly string[], signal: AbortSignal): Promise<ExecResult> {
  const { engine, replica, service } = parts;
  try {
    const result = await engine.exec(replica.container, argv, signal);
    const { exitCode } = result;
    // A stop kills the command with the container, some time before the engine says that it has stopped.
    if (exitCode !== undefined && exitCode > KILLED_ABOVE) {
      throw new TargetCommandKilledError(replica.name, service, { argv, exitCode });
    }
    if (exitCode === 0 || (await isRunning(parts, signal))) return result;
  } catch (thrown) {
    const isGone = thrown instanceof DockerRequestError && (thrown.status === 404 || thrown.status === 409);
    if (!isGone) throw thrown;
    throw new TargetNotRunningError(service, [`${replica.name} is not running any more`], { cause: thrown });
  }
  throw new TargetNotRunningError(service, [`${replica.name} stopped while "${argv.join(" ")}" ran in it`]);
}

async function isRunning({ engine, replica }: NginxTargetParts, signal: AbortSignal): Promise<boolean> {
  return (await engine.inspect(replica.container.id, signal))?.status === "running";
}

// Only for the words of a finding, so a failure here must not hide the finding: nothing is known then.
async function readConfigured(parts: NginxTargetParts, signal: AbortSignal): Promise<readonly ConfiguredFile[]> {
  try {
    const { stdout } = await parts.engine.exec(parts.replica.container, FILES_COMMAND, signal);
    return Array.from(stdout.matchAll(/^== (.+)\n?((?:(?!== ).*\n?)*)/gm), ([, path = "", text = ""]) => {
      return { path, fingerprint: text.includes("END CERTIFICATE") ? readLeaf(text).fingerprint : undefined };
    });
  } catch {
    signal.throwIfAborted();
    return [];
  }
}

function couldNotStart({ exitCode }: ExecResult): boolean {
  return exitCode === 126 || exitCode === 127;
}

function outputOf({ exitCode, stdout, stderr }: ExecResult): string {
  const text = [stderr, stdout].filter((part) => part !== "").join("\n");
  return text === "" ? `it printed nothing and ended with exit code ${exitCode ?? "unknown"}` : text;
}
