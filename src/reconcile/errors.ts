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

/** A target's test fails with our new version and passes with the one before, which has been put back. */
export class CertificateRejectedError extends OperatorError {
  readonly code = "TARGET_CERTIFICATE_REJECTED";
  readonly remedy =
    "Read the server's words above; the version before is back in place and a new one is ordered later.";

  constructor(lineage: string, version: number, rejection: ConfigurationRejectedError) {
    super(`version ${version} of ${lineage} was put back: ${rejection.message}`, { cause: rejection });
  }
}

/** A target was reloaded and still doesn't present the certificate that is on disk. */
export class NotServedError extends OperatorError {
  readonly code = "TARGET_NOT_SERVED";
  readonly remedy: string;

  constructor(lineage: string, finding: { readonly message: string; readonly remedy: string }) {
    super(`${lineage} is on disk but not served: ${finding.message}`);
    this.remedy = finding.remedy;
  }
}

/** A command asks for something that there isn't; nothing was done. */
export abstract class UsageProblem extends OperatorError {}

/** `--cert-name` names no certificate of ours. */
export class UnknownLineageError extends UsageProblem {
  readonly code = "CERT_NAME_UNKNOWN";
  readonly remedy: string;

  constructor(certName: string, known: readonly string[]) {
    super(`there is no certificate named ${certName}`);
    this.remedy = known.length > 0 ? `Use one of: ${known.join(", ")}.` : "Set CERTBOT_DOMAIN first.";
  }
}

/** `--staging` was asked of a CA that has no staging directory that we know of. */
export class NoStagingError extends UsageProblem {
  readonly code = "STAGING_UNKNOWN";
  readonly remedy = "Use --dry-run to rehearse, or name the staging directory with CERTBOT_SERVER.";

  constructor(directoryUrl: string) {
    super(`no staging directory is known for ${directoryUrl}`);
  }
}
