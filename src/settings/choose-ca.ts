import type { SettingWarning } from "./config.ts";
import type { Reading } from "./reading.ts";
import { isLetsEncrypt, isStaging, parseServer, SERVERS, stagingOf } from "./servers.ts";

/** The CA to use, the one after it, and whether their own HTTPS certificates are checked. */
export type ChosenServers = {
  readonly directoryUrl: string;
  readonly fallbackDirectoryUrl?: string | undefined;
  readonly verifyTls: boolean;
};

/** The CAs that are named. Where the first is wrong, nothing may be ordered by what stands in for it. */
export function chooseServers(reading: Reading): ChosenServers & { readonly isFirstRight: boolean } {
  const { options } = reading;
  const first =
    reading.text("CERTBOT_SERVER") === undefined ? SERVERS.letsencrypt : reading.read("CERTBOT_SERVER", parseServer);
  const directoryUrl = first !== undefined && options.has("--staging") ? chooseStaging(first, reading) : first;
  const fallbackDirectoryUrl = chooseFallback(directoryUrl, reading);
  const isLetsEncrypts = [directoryUrl ?? "", fallbackDirectoryUrl ?? ""].some(isLetsEncrypt);
  const isUnchecked = options.has("--no-verify-ssl");
  if (isUnchecked && isLetsEncrypts) {
    reading.refuseOption(
      "--no-verify-ssl",
      "is refused for Let's Encrypt, whose HTTPS every system trusts; take it out",
    );
  }
  const isFirstRight = directoryUrl !== undefined;
  const verifyTls = !isUnchecked || isLetsEncrypts;
  return { directoryUrl: directoryUrl ?? SERVERS.letsencrypt, fallbackDirectoryUrl, verifyTls, isFirstRight };
}

// The first CA signs without it.
function chooseFallback(first: string | undefined, reading: Reading): string | undefined {
  const { found, isRight } = reading.mistakes.aside(() => {
    const fallback = reading.read("CERTBOT_FALLBACK_SERVER", parseServer);
    if (fallback !== undefined && first !== undefined) checkFallback(fallback, first, reading);
    return fallback;
  });
  return isRight && first !== undefined ? found : undefined;
}

function chooseStaging(server: string, reading: Reading): string {
  const staging = stagingOf(server);
  const refuse = (problem: string) => reading.refuseOption("--staging", problem);
  // As certbot: whoever names a server and asks for another one means only one of the two.
  if (reading.options.has("--server") && staging !== server) refuse("contradicts --server; take one of the two out");
  else if (staging === undefined) refuse(`doesn't go with ${server}, whose staging server isn't known; take it out`);
  return staging ?? server;
}

// One would replace the other's certificates: those for tests are never served in the place of real ones.
function checkFallback(fallback: string, first: string, { mistakes }: Reading): void {
  const refuse = (problem: string) => mistakes.add({ setting: "CERTBOT_FALLBACK_SERVER", value: fallback, problem });
  if (fallback === first) return refuse("is the first CA itself; name another one or take it out");
  if (isStaging(fallback) === isStaging(first)) return;
  refuse(
    isStaging(fallback)
      ? `gives certificates for tests, and the first CA, ${first}, doesn't; name another one or take it out`
      : `gives real certificates, and the first CA, ${first}, those for tests; take it out while you test`,
  );
}

/** What the operator should know of the CA, though it is no mistake. */
export function findServerWarnings(servers: ChosenServers, email: string | undefined): SettingWarning[] {
  const isAsked = [servers.directoryUrl, servers.fallbackDirectoryUrl].includes(SERVERS.google);
  if (email !== undefined || !isAsked) return [];
  return [
    {
      setting: "CERTBOT_EMAIL",
      message: "It is not set, and Google registers no account without a contact address.",
      remedy: "Set CERTBOT_EMAIL, unless there is an account at Google in /etc/letsencrypt already.",
    },
  ];
}
