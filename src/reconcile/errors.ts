import { OperatorError } from "../certificate/index.ts";

/** The target's own test of its configuration failed (`nginx -t`); it was not reloaded. */
export class ConfigurationRejectedError extends OperatorError {
  readonly code = "TARGET_CONFIGURATION_REJECTED";
  readonly remedy: string;

  /** `output` is what the server printed, whole. */
  constructor(target: string, output: string) {
    super(`${target} refuses its configuration and keeps serving what it has: ${output}`);
    this.remedy = `Mend what ${target} complains about; it is tried again by itself and by update-cert.`;
  }
}
