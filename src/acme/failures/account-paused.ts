import { PlainError, type RetryRule } from "../../certificate/index.ts";
import { oneLine, type Problem, problemName, problemWords } from "./problem.ts";

/** Of orders that the CA takes no more; `link` is its own way to end that, `asked` the URL that was asked, `retry` what it asks for. */
export function accountPaused(doing: string, problem: Problem, { link, asked, retry }: Pause): PlainError {
  return new PlainError({
    // The CA takes no more orders of this account for some names, which have failed for months. Mend why they fail, then end
    // the pause at the CA's own link.
    code: "ACME_ACCOUNT_PAUSED",
    origin: "ca-refused",
    retry,
    message: `The CA has paused this account and refused to ${doing}: ${problemWords(problem)}`,
    remedy: isOwnLink(link, asked)
      ? `Mend why the names fail, then open ${link.href} to end the pause, and run update-cert.`
      : `Mend why the names fail, then ask the CA to end the pause; its answer links to ${link.host}, which is not its own ` +
        "website as far as we know.",
  });
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
