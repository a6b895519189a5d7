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

/** What stands in the way, and what to do. */
export type WebrootTrouble = { readonly words: string; readonly remedy: string };
