import { OperatorError } from "../certificate/index.ts";

/** The file that proves a challenge can't be put into the webroot. */
export class WebrootError extends OperatorError {
  readonly code = "CHALLENGE_WEBROOT";
  readonly remedy: string;

  constructor(webrootPath: string, { words, remedy }: WebrootTrouble, cause?: unknown) {
    super(`The challenge file can't be put into the webroot ${webrootPath}: ${words}`, { cause });
    this.remedy = remedy;
  }
}

/** The CA sent a token that is no file name (RFC 8555 §8.3): it could lead anywhere. Nothing was written. */
export class UnsafeTokenError extends OperatorError {
  readonly code = "CHALLENGE_UNSAFE_TOKEN";
  readonly remedy = "Ask whoever runs the CA: its challenge tokens break RFC 8555 §8.3.";

  constructor(token: string) {
    super(`The CA's challenge token ${JSON.stringify(token.slice(0, 80))} is no file name, so no file was written`);
  }
}

/** The DNS provider did not add the record that proves a name, or did not remove it. */
export class DnsRecordError extends OperatorError {
  readonly code = "CHALLENGE_DNS";
  readonly remedy = "Look at the provider's words; see whether its credentials may change this zone.";

  constructor(kind: string, what: "add" | "remove", { record, cause }: DnsTrouble) {
    const words = cause instanceof Error ? cause.message : String(cause);
    super(`${kind} did not ${what} the TXT record ${record.name}: ${words}`, { cause });
  }
}

type DnsTrouble = { readonly record: { readonly name: string }; readonly cause: unknown };

/** What stands in the way, and what to do. */
export type WebrootTrouble = { readonly words: string; readonly remedy: string };
