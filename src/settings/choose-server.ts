import type { MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";
import { isLetsEncrypt, isStaging, parseServer, SERVERS, stagingOf } from "./servers.ts";

/** The CA to use, the one after it, and whether their own HTTPS certificates are checked. */
export type ChosenServers = {
  readonly directoryUrl: string;
  readonly fallbackDirectoryUrl?: string | undefined;
  readonly verifyTls: boolean;
};

/**
 * Joins `CERTBOT_SERVER` and `CERTBOT_FALLBACK_SERVER` with `--server`, `--staging` and `--no-verify-ssl`. Undefined where
 * a server is wrong: nothing more can be said of it than what went to `mistakes`.
 */
export function chooseServers(
  texts: ReadonlyMap<string, string>,
  options: ParsedOptions,
  mistakes: MistakeList,
): ChosenServers | undefined {
  const directoryUrl = chooseFirst(texts.get("CERTBOT_SERVER"), options, mistakes);
  const fallback = texts.get("CERTBOT_FALLBACK_SERVER");
  const read = (text: string): string | undefined => parseServer(text);
  const fallbackDirectoryUrl = mistakes.attempt("CERTBOT_FALLBACK_SERVER", fallback, read, undefined);
  const isFallbackWrong = fallback !== undefined && fallbackDirectoryUrl === undefined;
  if (directoryUrl === undefined || isFallbackWrong) return undefined;
  const verifyTls = !options.has("--no-verify-ssl");
  if (!verifyTls) refuseForLetsEncrypt([directoryUrl, fallbackDirectoryUrl ?? ""], mistakes);
  if (fallbackDirectoryUrl !== undefined) checkFallback(fallbackDirectoryUrl, directoryUrl, mistakes);
  return { directoryUrl, fallbackDirectoryUrl, verifyTls };
}

function chooseFirst(setting: string | undefined, options: ParsedOptions, mistakes: MistakeList): string | undefined {
  const read = (name: string, text: string | undefined) =>
    mistakes.attempt<string | undefined>(name, text, parseServer, undefined);
  const typed = optionValue(options, "--server");
  const fromSetting = read("CERTBOT_SERVER", setting ?? SERVERS.letsencrypt);
  const fromOption = read("CERTBOT_OPTIONS --server", typed);
  const server = typed === undefined ? fromSetting : fromOption;
  if (server === undefined || !options.has("--staging")) return server;
  return chooseStaging(server, typed !== undefined, mistakes) ?? server;
}

// One would replace the other's certificates: those for tests are never served in the place of real ones.
function checkFallback(fallback: string, first: string, mistakes: MistakeList): void {
  const refuse = (problem: string) => mistakes.add({ setting: "CERTBOT_FALLBACK_SERVER", value: fallback, problem });
  if (fallback === first) return refuse("is the first CA itself; name another one or take it out");
  if (isStaging(fallback) === isStaging(first)) return;
  refuse(
    isStaging(fallback)
      ? `gives certificates for tests, and the first CA, ${first}, doesn't; name another one or take it out`
      : `gives real certificates, and the first CA, ${first}, those for tests; take it out while you test`,
  );
}

function chooseStaging(server: string, isTyped: boolean, mistakes: MistakeList): string | undefined {
  const staging = stagingOf(server);
  const refuse = (problem: string) => mistakes.add({ setting: "CERTBOT_OPTIONS --staging", problem });
  // As certbot: whoever names a server and asks for another one means only one of the two.
  if (isTyped && staging !== server) refuse("contradicts --server; take one of the two out");
  else if (staging === undefined) refuse(`doesn't go with ${server}, whose staging server isn't known; take it out`);
  return staging;
}

function refuseForLetsEncrypt(servers: readonly string[], mistakes: MistakeList): void {
  if (!servers.some(isLetsEncrypt)) return;
  const problem = "is refused for Let's Encrypt, whose HTTPS every system trusts; take it out";
  mistakes.add({ setting: "CERTBOT_OPTIONS --no-verify-ssl", problem });
}
