import type { WatchChoice } from "./config.ts";
import { ValueProblem } from "./mistake.ts";
import { typedVariables, type SettingSources } from "./read-settings.ts";
import type { Reading } from "./reading.ts";

const WATCH = "nginx:watch";

// On which ports it answers, and whether it speaks TLS at all.
const NGINX_SETTINGS = ["NGINX_PORT", "NGINX_SSL_PORT", "NGINX_HTTPS_ENABLED"];

/** Reads `CERTBOT_DEPLOY`; undefined: nginx is told by the Docker API. */
export function readDeploy(reading: Reading, sources: SettingSources): WatchChoice | undefined {
  if (reading.read("CERTBOT_DEPLOY", parseDeploy) === undefined) return undefined;
  const typed = typedVariables(sources);
  const set = NGINX_SETTINGS.flatMap((name) => {
    const text = typed.get(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return { nginx: Object.fromEntries(set) };
}

// To the letter: nginx's own entrypoint reads it, too.
function parseDeploy(text: string): typeof WATCH {
  if (text === WATCH) return WATCH;
  throw new ValueProblem("is no way to deploy", `${WATCH}, or nothing for the Docker API`);
}
