import type { MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";
import { isLetsEncrypt, parseServer, SERVERS, stagingOf } from "./servers.ts";

/** The CA to use, and whether its own HTTPS certificate is checked. */
type ChosenServer = { readonly directoryUrl: string; readonly verifyTls: boolean };

/** Joins `CERTBOT_SERVER` (`setting`) with `--server`, `--staging` and `--no-verify-ssl`. Mistakes go to `mistakes`. */
export function chooseServer(setting: string | undefined, options: ParsedOptions, mistakes: MistakeList): ChosenServer {
  const read = (name: string, text: string | undefined) =>
    mistakes.attempt<string | undefined>(name, text, parseServer, undefined);
  const typed = optionValue(options, "--server");
  const fromSetting = read("CERTBOT_SERVER", setting ?? "letsencrypt");
  const fromOption = read("CERTBOT_OPTIONS --server", typed);
  const server = typed === undefined ? fromSetting : fromOption;
  const verifyTls = !options.has("--no-verify-ssl");
  // What is no server is a mistake already; nothing more can be said of it.
  if (server === undefined) return { directoryUrl: SERVERS.letsencrypt, verifyTls };
  const staging = options.has("--staging") ? chooseStaging(server, typed !== undefined, mistakes) : undefined;
  if (!verifyTls) refuseForLetsEncrypt(server, mistakes);
  return { directoryUrl: staging ?? server, verifyTls };
}

function chooseStaging(server: string, isTyped: boolean, mistakes: MistakeList): string | undefined {
  const staging = stagingOf(server);
  const refuse = (problem: string) => mistakes.add({ setting: "CERTBOT_OPTIONS --staging", problem });
  // As certbot: whoever names a server and asks for another one means only one of the two.
  if (isTyped && staging !== server) refuse("contradicts --server; take one of the two out");
  else if (staging === undefined) refuse(`doesn't go with ${server}, whose staging server isn't known; take it out`);
  return staging;
}

function refuseForLetsEncrypt(server: string, mistakes: MistakeList): void {
  if (!isLetsEncrypt(server)) return;
  const problem = "is refused for Let's Encrypt, whose HTTPS every system trusts; take it out";
  mistakes.add({ setting: "CERTBOT_OPTIONS --no-verify-ssl", problem });
}
