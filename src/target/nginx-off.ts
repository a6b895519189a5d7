import { readConfiguration } from "./nginx-configuration.ts";
import { askNginx } from "./nginx-files.ts";
import type { Off, Place, TargetTools } from "./kind.ts";

/** Our own nginx folder in nginx's container; a foreign nginx has none. */
export const OUR_FOLDER = "/opt/cert-sidecar/nginx";

// Our step writes down what it decides, at a start some moments after it. Of a foreign nginx its configuration tells; one that
// nginx refuses tells nothing.
const OFF_SCRIPT = String.raw`if [ -d ${OUR_FOLDER} ]; then
  for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ ! -f /etc/nginx/sidecar/https ] || exec cat /etc/nginx/sidecar/https
    sleep 0.25 || exit 1
  done
  exit 1
fi
exec nginx -T 2>/dev/null`;

/** What asks it whether and why HTTPS is off there. */
export const OFF_COMMAND = ["/bin/sh", "-c", OFF_SCRIPT];

const WORDS = new Map<string, Off>([
  ["off-by-setting", { reason: "NGINX_HTTPS_ENABLED is false there" }],
  [
    "off-by-rescue",
    { reason: "HTTPS is off there since nginx refused its configuration at its start, as its log says", isFault: true },
  ],
]);

/** Why an nginx that nobody can speak TLS with has none; undefined: it should have, or nobody knows. Throws only the signal's reason. */
export async function whyHttpsIsOff(place: Place, tools: TargetTools, signal: AbortSignal): Promise<Off | undefined> {
  const said = await askNginx(place, tools, { argv: OFF_COMMAND, signal });
  const listens = readConfiguration(said)?.flatMap((server) => server.listens);
  if (listens?.every(({ isTls, isQuic }) => !isTls && !isQuic))
    return { reason: "no listener in its configuration has ssl" };
  return WORDS.get(said.trim());
}
