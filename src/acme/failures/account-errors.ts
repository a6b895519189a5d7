import { type FailureOrigin, OperatorError } from "../../certificate/index.ts";

/** This CA wants an external account binding (RFC 8555 §7.3.4), and none is set. Get one from its website. */
export class ExternalAccountRequiredError extends OperatorError {
  readonly code = "ACME_EXTERNAL_ACCOUNT_REQUIRED";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy =
    "Get a key id and an HMAC key at the CA's website, set CERTBOT_EAB_KID and CERTBOT_EAB_HMAC_KEY; then run update-cert.";

  constructor(directoryUrl: string) {
    super(
      `No account was registered at ${directoryUrl}: this CA requires an external account binding, and none is set`,
    );
  }
}

/** The CA doesn't take the external account binding: wrong, unknown or used up. Get a fresh one from its website. */
export class ExternalAccountRefusedError extends OperatorError {
  readonly code = "ACME_EXTERNAL_ACCOUNT_REFUSED";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy =
    "Get a fresh key id and HMAC key from the CA's website, and set CERTBOT_EAB_KID and CERTBOT_EAB_HMAC_KEY; then run " +
    "update-cert.";

  constructor(refusal: unknown) {
    const words = refusal instanceof Error ? refusal.message : String(refusal);
    super(`${words} (with the external account binding that is set)`, { cause: refusal });
  }
}

/** `--dry-run` would use up the external account binding at this CA: nothing was ordered. Run `update-cert` itself. */
export class RehearsalAccountError extends OperatorError {
  readonly code = "ACME_REHEARSAL_NEEDS_ACCOUNT";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy =
    "Run update-cert without --dry-run, which keeps the account; or rehearse at a CA with staging, like Let's Encrypt.";

  constructor(directoryUrl: string) {
    super(
      `Nothing was rehearsed at ${directoryUrl}: this CA registers a throw-away account only with an external account ` +
        "binding, which would be used up",
    );
  }
}

/** `CERTBOT_EAB_HMAC_KEY` is no base64url text. Copy it as the CA shows it; it is never shown here. */
export class ExternalAccountKeyError extends OperatorError {
  readonly code = "ACME_EXTERNAL_ACCOUNT_KEY";
  readonly remedy = "Copy the HMAC key into CERTBOT_EAB_HMAC_KEY as the CA shows it; then run update-cert.";

  constructor() {
    super("The HMAC key of the external account binding can't be used: it is not base64url text");
  }
}

/** `rotate-account-key` found no account at the CA of the settings. `update-cert` registers one. */
export class NoAccountError extends OperatorError {
  readonly code = "ACME_NO_ACCOUNT";
  readonly remedy =
    "Correct CERTBOT_SERVER; or run update-cert --force-renewal, whose order registers an account with a new key.";

  constructor(directoryUrl: string) {
    super(`No key was changed: there is no account for ${directoryUrl} in accounts/`);
  }
}

/** The CA's directory has no place to ask for a new account key (RFC 8555 §7.3.5). The old one stays in use. */
export class KeyChangeNotOfferedError extends OperatorError {
  readonly code = "ACME_KEY_CHANGE_NOT_OFFERED";
  override readonly origin: FailureOrigin = "ca-refused";
  readonly remedy =
    "Keep the key; or move the account's folder out of /etc/letsencrypt/accounts and run update-cert, which registers another.";

  constructor(directoryUrl: string) {
    super(`No key was changed: the directory ${directoryUrl} has no keyChange`);
  }
}
