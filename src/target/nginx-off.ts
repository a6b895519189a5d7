import { withDeadline } from "./docker/deadline.ts";
import type { Off, Place, TargetTools } from "./kind.ts";

/** Our own nginx folder in nginx's container; a foreign nginx has none. */
export const OUR_FOLDER = "/opt/cert-sidecar/nginx";

// Our step writes down what it decides, at a start some moments after it. Of a foreign nginx its configuration tells, without
// comments and as one line; one that nginx refuses tells nothing.
const OFF_SCRIPT = String.raw`if [ -d ${OUR_FOLDER} ]; then
  for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ ! -f /etc/nginx/sidecar/https ] || exec cat /etc/nginx/sidecar/https
    sleep 0.25 || exit 1
  done
  exit 1
fi
all=$(nginx -T 2>/dev/null) || exit 1
printf '%s\n' "$all" | sed 's/#.*//' | tr '\n' ' ' |
  grep -Eq '[;{}[:space:]](listen[[:space:]][^;]*[[:space:]](ssl|quic)|ssl[[:space:]]+on)[[:space:];]' || echo off-by-configuration`;

/** What asks it whether and why HTTPS is off there. */
export const OFF_COMMAND = ["/bin/sh", "-c", OFF_SCRIPT];

const WORDS = new Map<string, Off>([
  ["off-by-setting", { reason: "NGINX_HTTPS_ENABLED is false there" }],
  [
    "off-by-rescue",
    { reason: "HTTPS is off there since nginx refused its configuration at its start, as its log says", isFault: true },
  ],
  ["off-by-configuration", { reason: "no listener in its configuration has ssl" }],
]);

// A test of the configuration that waits for a name server must not hold up the search for targets.
const ANSWER_WITHIN_MS = 6000;

/** Why an nginx that nobody can speak TLS with has none; undefined: it should have, or nobody knows. Throws only the signal's reason. */
export async function whyHttpsIsOff(place: Place, { clock, exec }: TargetTools, signal: AbortSignal) {
  const expired = () => new Error("no answer in time");
  try {
    const ask = (own: AbortSignal) => exec(place, OFF_COMMAND, own);
    const { stdout } = await withDeadline({ clock, signal, ms: ANSWER_WITHIN_MS, expired }, ask);
    return WORDS.get(stdout.trim());
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
