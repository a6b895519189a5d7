import { PlainError, wordsOf } from "../certificate/index.ts";
import type { Reach } from "./docker/container-address.ts";
import { commandWords, couldNotStart, outputOf, type ExecResult } from "./docker/exec.ts";
import type { Spot } from "./kind.ts";

/** Whom a failure is about. */
export type Named = Pick<Spot, "name" | "service">;

/** The sidecar doesn't run in a compose project, so it can't tell which nginx is its own. */
export function composeProjectUnknown(message: string, remedy: string): PlainError {
  return new PlainError({ code: "COMPOSE_PROJECT_UNKNOWN", message, remedy });
}

type NotThere = {
  readonly project: string;
  readonly services: readonly string[];
  readonly scope: "default" | "named" | "another";
};

/** The compose project has no container of the service. */
export function targetNotFound(service: string, { project, services, scope }: NotThere): PlainError {
  const others = services.filter((one) => one !== service);
  const looked = `looked for the service "${service}" in the compose project "${project}": there is no container of it`;
  const list = others.length > 0 ? `its services are ${others.join(", ")}` : "it has no containers";
  const run = `Run docker compose ${scope === "another" ? `-p ${project} ` : ""}up -d ${service}`;
  const likely = scope === "default" ? others.filter(mayBeNginx) : [];
  if (likely.length > 1) return targetAmbiguous(looked, likely);
  const label = `give the service of your web server${likely.map((one) => `, ${one},`).join("")} the label cert-sidecar.deploy=nginx`;
  const or = scope === "default" ? `${label} if it isn't called so` : "correct CERTBOT_DEPLOY, which names it";
  const remedy = `${run}, or ${or}; the certificate is deployed by itself when it is up.`;
  return new PlainError({ code: "TARGET_NOT_FOUND", message: `${looked}; ${list}`, remedy });
}

/** No service is called nginx, and several may be meant. Say which by `CERTBOT_DEPLOY` or a label; none is chosen for you. */
function targetAmbiguous(looked: string, likely: readonly string[]): PlainError {
  const message = `${looked}, and ${listOf(likely, "and")} may each be meant`;
  const lines = likely.map((one) => `CERTBOT_DEPLOY=service:${one}`);
  const remedy = `Set ${listOf(lines, "or")} for this container, or give the right service the label cert-sidecar.deploy=nginx, or what else tells it.`;
  return new PlainError({ code: "TARGET_AMBIGUOUS", message, remedy });
}

// Not what stands before Docker's socket.
function mayBeNginx(service: string): boolean {
  return /nginx|openresty|proxy|gateway|web/i.test(service) && !/docker|socket/i.test(service);
}

function listOf(words: readonly string[], last: string): string {
  return words.join(", ").replace(/, ([^,]*)$/, ` ${last} $1`);
}

/** What was asked for, and what to do where it has no address. */
export type NameUnknown = { readonly asked: string; readonly remedy: string };

/** The service that takes over by itself isn't in Docker's DNS, as none of it runs on a network of ours; or nobody knows the host that CERTBOT_DEPLOY names. */
export function targetNameUnknown({ asked, remedy }: NameUnknown, cause?: unknown): PlainError {
  const answer = cause === undefined ? "there is none" : wordsOf(cause);
  const message = `asked ${asked}: ${answer}`;
  return new PlainError({ code: "TARGET_NAME_UNKNOWN", message, remedy, cause });
}

type Standstill = { readonly stuck?: "restarting" | "paused" | undefined; readonly cause?: unknown };

/** nginx isn't running. The certificate is deployed when it starts. */
export function targetNotRunning(service: string, states: readonly string[], { stuck, cause }: Standstill = {}) {
  const message = `nothing can be deployed to the service "${service}" now: ${states.join(", ")}`;
  const remedy = `${wayBack(service, stuck)}; the certificate is deployed by itself when it is up.`;
  return new PlainError({ code: "TARGET_NOT_RUNNING", message, remedy, cause });
}

// `up` can't start what is paused.
function wayBack(service: string, stuck: Standstill["stuck"]): string {
  if (stuck === "restarting") return `Read docker compose logs ${service} and mend what it complains about`;
  return stuck === "paused" ? `Run docker compose unpause ${service}` : `Run docker compose up -d ${service}`;
}

type NoReach = Extract<Reach, { kind: "no-common-network" }>;

/** The sidecar and nginx share no network, so nobody can check what nginx serves. */
export function targetUnreachable({ name, service }: Named, { ours, theirs }: NoReach): PlainError {
  const message = `found ${name}, but have no network in common with it: this container is in ${ours.join(", ")}, ${name} in ${theirs.join(", ")}`;
  const [project] = name.includes("/") ? name.split("/") : [];
  const remedy =
    project === undefined
      ? `Put this container and the service ${service} on one network in the compose file.`
      : `Put this container on the network ${theirs[0] ?? `${project}_default`} of the project ${project} too, as an external one of the compose file.`;
  return new PlainError({ code: "TARGET_UNREACHABLE", message, remedy });
}

type WrongLabel = {
  readonly label: string;
  readonly value: string;
  readonly allowed: string;
  /** Where it isn't to set the label to what is allowed. */
  readonly remedy?: string;
};

/** A label of a container can't be understood. */
export function labelInvalid(target: string, { label, value, allowed, remedy: other }: WrongLabel): PlainError {
  const message = `${target} has the label ${label}="${value}", which is not ${allowed}`;
  const remedy = other ?? `Set the label ${label} to ${allowed}, or remove it.`;
  return new PlainError({ code: "TARGET_LABEL_INVALID", message, remedy });
}

/** The step that writes nginx's server blocks failed in nginx's container; nginx was not reloaded. */
export function certificateStepFailed({ name, service }: Named, output: string): PlainError {
  const message = `the certificate step in ${name} failed, and it keeps serving what it has: ${output}`;
  const remedy = `Mend what the step names and run update-cert, or make the service ${service} anew with docker compose up -d --force-recreate ${service}.`;
  return new PlainError({ code: "TARGET_CERTIFICATE_STEP_FAILED", message, remedy });
}

/** A command that nginx's container must have could not be started there. */
export function commandMissing({ name, service }: Named, argv: readonly string[], output: string): PlainError {
  const message = `could not start "${commandWords(argv)}" in ${name}: ${output}`;
  const remedy = `Use an image for the service ${service} that has the command ${argv[0] ?? ""} in its PATH.`;
  return new PlainError({ code: "TARGET_COMMAND_MISSING", message, remedy });
}

/** A command in nginx's container was killed before it ended, most often because the container was stopped. */
export function commandKilled({ name, service }: Named, argv: readonly string[], exitCode: number): PlainError {
  const message = `"${commandWords(argv)}" in ${name} was killed (exit code ${exitCode}): the container stops, or has no memory left`;
  const remedy = `Read docker compose ps -a ${service} if it stays so; it is tried again by itself when the container starts.`;
  return new PlainError({ code: "TARGET_COMMAND_KILLED", message, remedy });
}

/** `nginx -s reload` failed. */
export function reloadFailed({ name, service }: Named, output: string): PlainError {
  const message = `nginx in ${name} was told to reload and refused: ${output}`;
  const remedy = `Run docker compose restart ${service} if it stays so: the nginx command does not find the running nginx.`;
  return new PlainError({ code: "TARGET_RELOAD_FAILED", message, remedy });
}

/** A command that a label asks for could not be run in its container, or failed there. */
export function commandFailed({ name, service }: Named, argv: readonly string[], result: ExecResult): PlainError {
  const [program = ""] = argv;
  const isMissing = couldNotStart(result);
  const ended = isMissing ? "could not be started" : `failed (exit code ${result.exitCode ?? "unknown"})`;
  const message = `"${commandWords(argv)}" in ${name} ${ended}: ${lastOf(outputOf(result))}`;
  const mend = isMissing ? `Check that the image has ${program}, and what that starts` : "Mend what it complains about";
  const remedy = `${mend}, or the label cert-sidecar.deploy of the service ${service}; it is tried again by itself and by update-cert.`;
  return new PlainError({ code: "TARGET_COMMAND_FAILED", message, remedy });
}

const LONGEST_OUTPUT = 1000;

function lastOf(output: string): string {
  return output.length > LONGEST_OUTPUT ? `…${output.slice(-LONGEST_OUTPUT)}` : output;
}

type UnsafeSignal = { readonly signal: string; readonly because: string; readonly mend: string };

/** A container would not be started again after a signal, or would stop by it: Docker takes it for a stop. Nothing is sent. */
export function signalUnsafe({ name, service }: Named, { signal, because, mend }: UnsafeSignal): PlainError {
  const message = `${name} is not sent the signal ${signal}, as its label asks for: ${because}`;
  const remedy = `${mend} in the compose file, and run docker compose up -d ${service}; or tell it by a command, like cert-sidecar.deploy=exec:sh -c 'kill -${signal} 1'.`;
  return new PlainError({ code: "TARGET_SIGNAL_UNSAFE", message, remedy });
}

/** A container that is to be restarted is only just starting, and is left to it. It is tried again soon. */
export function targetStarting({ name, service }: Named, words: string): PlainError {
  const message = `${name} is not restarted, which could cut off what it does at its start: ${words}`;
  const remedy = `Wait, it is tried again by itself; if it stays, read docker compose logs ${service}.`;
  return new PlainError({ code: "TARGET_STARTING", message, remedy });
}

/** A certificate could not be put into a container. Its path there must be on its own file system or a volume, in a folder that is there. */
export function copyFailed(
  { name, service }: Named,
  path: string,
  { words, cause }: { words: string; cause?: unknown },
) {
  const folder = path.replace(/[^/]*$/, "");
  const message = `could not put ${path} into ${name}: ${words}`;
  const remedy = `Let ${folder} be a folder that is there in the service ${service} and that Docker can write to: in its image, or a volume on it; not a tmpfs, nor read-only, nor below read_only: true.`;
  return new PlainError({ code: "TARGET_COPY_FAILED", message, remedy, cause });
}
