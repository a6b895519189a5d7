import { OperatorError } from "../certificate/index.ts";

/** The sidecar doesn't run in a compose project, so it can't tell which nginx is its own. */
export class ComposeProjectUnknownError extends OperatorError {
  readonly code = "COMPOSE_PROJECT_UNKNOWN";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** The compose project has no container of the service. */
export class TargetNotFoundError extends OperatorError {
  readonly code = "TARGET_NOT_FOUND";
  readonly remedy: string;

  constructor(project: string, service: string, others: readonly string[]) {
    const list = others.length > 0 ? `its services are ${others.join(", ")}` : "it has no containers";
    super(
      `looked for the service "${service}" in the compose project "${project}": there is no container of it; ${list}`,
    );
    this.remedy = `Run docker compose up -d ${service}; the certificate is deployed by itself when it is up.`;
  }
}

/** nginx isn't running. The certificate is deployed when it starts. */
export class TargetNotRunningError extends OperatorError {
  readonly code = "TARGET_NOT_RUNNING";
  readonly remedy: string;

  /** `states` say for each container how it is: "nginx-1 is restarting (exit code 1)". */
  constructor(
    service: string,
    states: readonly string[],
    options: { readonly stuck?: "restarting" | "paused" | undefined; readonly cause?: unknown } = {},
  ) {
    super(`nothing can be deployed to the service "${service}" now: ${states.join(", ")}`, { cause: options.cause });
    this.remedy = `${wayBack(service, options.stuck)}; the certificate is deployed by itself when it is up.`;
  }
}

// `up` can't start what is paused.
function wayBack(service: string, stuck: "restarting" | "paused" | undefined): string {
  if (stuck === "restarting") return `Read docker compose logs ${service} and mend what it complains about`;
  return stuck === "paused" ? `Run docker compose unpause ${service}` : `Run docker compose up -d ${service}`;
}

/** The sidecar and nginx share no network, so nobody can check what nginx serves. */
export class TargetUnreachableError extends OperatorError {
  readonly code = "TARGET_UNREACHABLE";
  readonly remedy: string;

  constructor(
    target: string,
    service: string,
    networks: { readonly ours: readonly string[]; readonly theirs: readonly string[] },
  ) {
    super(
      `found ${target}, but have no network in common with it: this container is in ${networks.ours.join(", ")}, ${target} in ${networks.theirs.join(", ")}`,
    );
    this.remedy = `Put this container and the service ${service} on one network in the compose file.`;
  }
}

/** A label of a container can't be understood. */
export class TargetLabelError extends OperatorError {
  readonly code = "TARGET_LABEL_INVALID";
  readonly remedy: string;

  constructor(target: string, label: { readonly name: string; readonly value: string; readonly allowed: string }) {
    super(`${target} has the label ${label.name}="${label.value}", which is not ${label.allowed}`);
    this.remedy = `Set the label ${label.name} to ${label.allowed}, or remove it.`;
  }
}

/** The step that writes nginx's server blocks failed in nginx's container; nginx was not reloaded. */
export class CertificateStepError extends OperatorError {
  readonly code = "TARGET_CERTIFICATE_STEP_FAILED";
  readonly remedy: string;

  constructor(target: string, service: string, output: string) {
    super(`the certificate step in ${target} failed, and it keeps serving what it has: ${output}`);
    this.remedy = `Mend what the step names and run update-cert, or make the service ${service} anew with docker compose up -d --force-recreate ${service}.`;
  }
}

/** A command that nginx's container must have could not be started there. */
export class TargetCommandMissingError extends OperatorError {
  readonly code = "TARGET_COMMAND_MISSING";
  readonly remedy: string;

  constructor(target: string, service: string, failure: { readonly argv: readonly string[]; readonly output: string }) {
    super(`could not start "${failure.argv.join(" ")}" in ${target}: ${failure.output}`);
    this.remedy = `Use an image for the service ${service} that has the command ${failure.argv[0] ?? ""} in its PATH.`;
  }
}

/** A command in nginx's container was killed before it ended, most often because the container was stopped. */
export class TargetCommandKilledError extends OperatorError {
  readonly code = "TARGET_COMMAND_KILLED";
  readonly remedy: string;

  constructor(
    target: string,
    service: string,
    command: { readonly argv: readonly string[]; readonly exitCode: number },
  ) {
    super(
      `"${command.argv.join(" ")}" in ${target} was killed (exit code ${command.exitCode}): the container stops, or has no memory left`,
    );
    this.remedy = `Read docker compose ps -a ${service} if it stays so; it is tried again by itself when the container starts.`;
  }
}

/** `nginx -s reload` failed. */
export class ReloadFailedError extends OperatorError {
  readonly code = "TARGET_RELOAD_FAILED";
  readonly remedy: string;

  constructor(target: string, service: string, output: string) {
    super(`nginx in ${target} was told to reload and refused: ${output}`);
    this.remedy = `Run docker compose restart ${service} if it stays so: the nginx command does not find the running nginx.`;
  }
}
