import { asOperatorError, OperatorError, PlainError, toFailure, type Validity } from "../certificate/index.ts";
import type { StorageFinding } from "./storage.ts";

/** `nginx -t` fails for a reason that isn't ours; nginx goes on with what it has. */
export class ConfigurationRejectedError extends OperatorError {
  readonly code = "TARGET_CONFIGURATION_REJECTED";
  readonly remedy: string;

  /** `output` is what the server printed, whole. */
  constructor(target: string, output: string) {
    super(`${target} refuses its configuration and keeps serving what it has: ${output}`);
    this.remedy = `Mend what ${target} complains about; it is tried again by itself and by update-cert.`;
  }
}

/** nginx was reloaded and still serves something else. */
export class NotServedError extends OperatorError {
  readonly code = "TARGET_NOT_SERVED";
  readonly remedy: string;
  /** What was seen, without the certificate's name. */
  readonly seen: string;

  constructor(lineage: string, finding: { readonly message: string; readonly remedy: string }) {
    super(`${lineage} is on disk but not served: ${finding.message}`);
    this.remedy = finding.remedy;
    this.seen = finding.message;
  }
}

/**
 * nginx refused a new version of a certificate, or no TLS handshake with it succeeded where the one before was served: that one was
 * put back, and the new one is shown to it again later.
 */
export class CertificateRejectedError extends OperatorError {
  readonly code = "TARGET_CERTIFICATE_REJECTED";
  readonly remedy: string;

  constructor(lineage: string, version: number, rejection: ConfigurationRejectedError | NotServedError) {
    const isSeen = rejection instanceof NotServedError;
    const why = isSeen ? ` since no handshake with it succeeds: ${rejection.seen}` : `: ${rejection.message}`;
    super(`version ${version} of ${lineage} was put back${why}`, { cause: rejection });
    const what = isSeen ? rejection.remedy : "Mend what the server complains about.";
    this.remedy = `${what.replace(/\.$/, "")}; this version is tried again by itself and by update-cert.`;
  }
}

const MOST_TOLD = 10;

/** A label names a certificate that nobody wants and that isn't on disk. What else it names is deployed. */
export class NamedCertificateUnknownError extends OperatorError {
  readonly code = "TARGET_CERTIFICATE_UNKNOWN";
  readonly remedy: string;

  constructor(target: string, unknown: readonly string[], known: readonly string[]) {
    const names = unknown.slice(0, MOST_TOLD).join(", ");
    super(
      `${target} is to serve ${names}, as its label cert-sidecar.certificates says, and there is no such certificate`,
    );
    const some = known.slice(0, MOST_TOLD).join(", ") + (known.length > MOST_TOLD ? ", …" : "");
    this.remedy = `Name certificates in that label as the command certificates names them: ${some}.`;
  }
}

/** A staging certificate was asked for in the place of a real one; nothing was ordered. Use `--dry-run`. */
export class ProductionKeptError extends OperatorError {
  readonly code = "STAGING_REFUSED";
  readonly remedy = "Rehearse with update-cert --dry-run, which changes nothing; or take --staging out.";

  constructor(lineage: string) {
    super(
      `${lineage} has a production certificate, and a staging one in its place would break the site: nothing was ordered`,
    );
  }
}

/** A wildcard can't be proven by HTTP-01 (RFC 8555 §8.3), the only way here. Renew it by certbot's DNS plugin. */
export class WildcardUnprovableError extends OperatorError {
  readonly code = "CHALLENGE_IMPOSSIBLE";
  readonly remedy = "Renew it with certbot and its DNS plugin as before: this version proves names by HTTP-01 alone.";

  constructor(lineage: string) {
    super(`${lineage} has a wildcard, which needs a DNS-01 challenge: nothing was ordered`);
  }
}

/** An order would go beyond a limit that the CA documents ([renewal.md](renewal.md)). It goes out when it can. */
export class BudgetExceededError extends OperatorError {
  readonly code = "BUDGET_EXCEEDED";
  readonly remedy: string;
  /** When the next order is possible. */
  readonly until: Date;

  constructor(
    lineage: string,
    directoryUrl: string,
    { limit, until }: { readonly limit: string; readonly until: Date },
  ) {
    super(
      `nothing was ordered for ${lineage}: ${new URL(directoryUrl).hostname} allows ${limit}, and they are spent; the next order is possible at ${until.toISOString()}`,
    );
    this.until = until;
    this.remedy =
      "Leave the daemon running, it orders at that time by itself; rehearse with update-cert --dry-run meanwhile.";
  }
}

/** The CA suggests to renew a certificate that it has only just given. The next order waits a while; nothing to do. */
export class HastyRenewalInfoError extends OperatorError {
  readonly code = "RENEWAL_INFO_HASTY";
  readonly remedy = "Wait, it is renewed after a pause; if it goes on for days, tell whoever runs the CA.";

  constructor(lineage: string) {
    super(`the CA suggests to renew ${lineage} right after it was renewed: the next order waits`);
  }
}

/** Nothing is ordered at a public CA without a volume at `/etc/letsencrypt`: a restart loop would spend its limits. */
export class EphemeralStorageError extends OperatorError {
  readonly code = "STORAGE_EPHEMERAL";
  readonly remedy: string;

  constructor(lineage: string, { message, remedy }: Extract<StorageFinding, { readonly kind: "ephemeral" }>) {
    super(`nothing was ordered for ${lineage} at a public CA: ${message}`);
    this.remedy = remedy;
  }
}

/** A failure of a certificate that only its conf asks for, with the way to end it; one that nobody can prove may not be missed. */
export function ofUnnamed(lineage: string, thrown: unknown): OperatorError {
  const problem = asOperatorError(thrown);
  const { code, message, origin, retry } = problem;
  if (origin !== "proof" && origin !== "ca-refused") return problem;
  const remedy = `${problem.remedy} CERTBOT_DOMAIN doesn't name it: if ${lineage} is no longer needed, delete renewal/${lineage}.conf.`;
  return new PlainError({ code, message, remedy, origin, retry, cause: problem });
}

/** The sidecar, or its machine, stopped in the middle of an order. It is tried again later. */
export class AttemptInterruptedError extends OperatorError {
  readonly code = "ATTEMPT_INTERRUPTED";
  readonly remedy = "Run update-cert to try at once; else it is tried again by itself.";

  constructor(lineage: string, startedAt: Date) {
    super(`the order for ${lineage} that began at ${startedAt.toISOString()} was cut off before its end`);
  }
}

/** A certificate isn't valid at this machine's time, or is due for renewal when it arrives. Set the clock (NTP). */
export class AlreadyDueError extends OperatorError {
  readonly code = "CLOCK_WRONG";
  readonly remedy = "Set this machine's clock (NTP); if it is right, the CA gives certificates that are too old.";

  constructor(lineage: string, validity: Validity, now: Date) {
    const life = `${validity.notBefore.toISOString()} to ${validity.notAfter.toISOString()}`;
    super(
      `the new certificate of ${lineage} lives from ${life} and is due already, at ${now.toISOString()} by our clock`,
    );
  }
}

/** The lock on `/etc/letsencrypt/sidecar` was taken away while we held it; whatever acts under it stops. */
export class MayNotActError extends OperatorError {
  readonly code = "LOCK_LOST";
  readonly remedy = "Leave one sidecar running for this folder; this one waits for the lock.";

  /** For a run whose lock another sidecar has taken. `undone` is the sentence's beginning: what was not done. */
  constructor(undone: string) {
    super(`${undone}: the lock on the folder is no longer ours`);
  }
}

/** A command asks for something that there isn't; nothing was done. */
export abstract class UsageProblem extends OperatorError {}

/** `--cert-name` names no certificate. */
export class UnknownLineageError extends UsageProblem {
  readonly code = "CERT_NAME_UNKNOWN";
  readonly remedy: string;

  constructor(certName: string, known: readonly string[]) {
    super(`there is no certificate named ${certName}`);
    this.remedy = known.length > 0 ? `Use one of: ${known.join(", ")}.` : "Set CERTBOT_DOMAIN first.";
  }
}

/** A command asks for a certificate under a name that the settings give to other names: each check would swap it back. */
export class NamesOfSettingsError extends UsageProblem {
  readonly code = "NAMES_OF_SETTINGS";
  readonly remedy = "Change CERTBOT_DOMAIN, whose names last; or give the certificate another name (--cert-name).";

  constructor(lineage: string) {
    super(`the settings say which names ${lineage} has, and they are others: nothing was ordered`);
  }
}

/** Nothing is ordered for a certificate, since the settings leave in doubt how; all that is wrong is told beside it. */
export function waitingForSettings(lineage: string, cause: OperatorError | undefined): PlainError {
  const message = `${lineage} waits until the settings are right: nothing is ordered for it`;
  return new PlainError({ ...toFailure(cause), message, retry: "never", cause });
}
