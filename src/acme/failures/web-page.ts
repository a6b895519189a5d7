import { excerpt } from "../../certificate/index.ts";
import type { HttpReply } from "../../ports/index.ts";
import { UnexpectedAnswerError } from "./connection-errors.ts";
import { oneLine } from "./problem.ts";

const LONGEST_WORDS = 100;
const LONGEST_NAME = 60;
// A page has its title at its head.
const HEAD = 16 * 1024;
const TITLE = /<title\b[^<>]*>([^<]*)</i;
const BODY = /<body\b/i;

/** A web page came in place of the CA's answer, as firewalls, captive portals and proxies send it. */
export class WebPageError extends UnexpectedAnswerError {
  override readonly code = "ACME_WEB_PAGE";
  override readonly remedy: string;

  /** `otherwise` is what to do where nobody stands in between. */
  constructor(url: string, reply: HttpReply, otherwise: string) {
    const { headers, status, text } = reply;
    const sender = headers["server"] ?? headers["via"];
    const from = sender === undefined ? "" : `, from ${oneLine(sender).slice(0, LONGEST_NAME)}`;
    super(url, `a web page came in its place: ${status} "${wordsOf(text)}"${redirectIn(reply)}${from}`);
    this.remedy =
      `Have the firewall, captive portal or proxy on the way to the CA let ${new URL(url).host} through; ` +
      `where there is none, ${otherwise}.`;
  }
}

// Its title, and what it shows.
function wordsOf(page: string): string {
  const title = TITLE.exec(page.slice(0, HEAD))?.[1] ?? "";
  const body = page.slice(Math.max(0, page.search(BODY)));
  return [title, body].flatMap((part) => excerpt(part, LONGEST_WORDS) || []).join(": ");
}

/** Whether a reply is a web page and its status doesn't say enough: there is nothing, too many asked, the server fails. */
export function isStrayPage({ status, text }: HttpReply): boolean {
  const isTelling = [404, 410, 429].includes(status) || (status >= 500 && status !== NETWORK_LOGIN);
  // Nothing that ACME speaks is marked up.
  return !isTelling && text.trimStart().startsWith("<");
}

// RFC 6585 §6: "Network Authentication Required", which never comes from the server itself.
const NETWORK_LOGIN = 511;

/** Where a reply sends to, as the end of a sentence about it; empty where it doesn't. */
export function redirectIn({ status, headers: { location } }: HttpReply): string {
  return status >= 300 && status < 400 && location !== undefined ? `, a redirect to ${oneLine(location)}` : "";
}
