import { OperatorError, type RetryRule } from "../../certificate/index.ts";
import { oneLine, type Problem, problemName, problemWords } from "./problem.ts";

/**
 * The CA takes no more orders of this account for some names, which have failed for months. Mend why they fail, then end
 * the pause at the CA's own link.
 */
export class AccountPausedError extends OperatorError {
  readonly code = "ACME_ACCOUNT_PAUSED";
  readonly remedy: string;
  override readonly retry: RetryRule;
  override readonly origin = "ca-refused";

  /** `link` is the CA's own way to end the pause, `asked` the URL that was asked, `retry` what the CA asks for. */
  constructor(doing: string, problem: Problem, { link, asked, retry }: Pause) {
    super(`The CA has paused this account and refused to ${doing}: ${problemWords(problem)}`);
    this.remedy = isOwnLink(link, asked)
      ? `Mend why the names fail, then open ${link.href} to end the pause, and run update-cert.`
      : `Mend why the names fail, then ask the CA to end the pause; its answer links to ${link.host}, which is not its own ` +
        "website as far as we know.";
    this.retry = retry;
  }
}

type Pause = { readonly link: URL; readonly asked: string; readonly retry: RetryRule };

/** The link to end a pause that a refusal carries in its words; undefined when it is no such refusal. */
export function unpauseLink(problem: Problem): URL | undefined {
  if (!["rateLimited", "unauthorized", "userActionRequired"].includes(problemName(problem))) return undefined;
  const words = oneLine(`${problem.detail} ${problem.instance ?? ""}`);
  const links = [...words.matchAll(/https?:\/\/[^\s"'<>]+/gi)].map(([text]) => URL.parse(text.replace(/[.,;)]+$/, "")));
  return links.find((link) => link !== null && link.pathname.endsWith("/unpause")) ?? undefined;
}

// Let's Encrypt's portal has a host of its own. Any other CA's must be the host that we talk to, or one below it.
function isOwnLink(link: URL, asked: string): boolean {
  if (link.protocol !== "https:" || link.username !== "" || link.password !== "") return false;
  const host = URL.parse(asked)?.hostname;
  return isWithin(link.hostname, "letsencrypt.org") || (host !== undefined && isWithin(link.hostname, host));
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}
