import { isIPv4, isIPv6 } from "node:net";
import type { DeployWay } from "../ports/index.ts";
import { ValueProblem } from "./mistake.ts";
import { typedVariables, type SettingSources } from "./read-settings.ts";
import type { Reading } from "./reading.ts";

const WATCH = "nginx:watch";
const SERVICE = "service:";
const ALLOWED = `${WATCH}, service:NAME or service:PROJECT/NAME of compose, verify:HOST:PORT (like verify:host-gateway:443, an IPv6 address in brackets), several with blanks between, or nothing for the Docker API`;

// On which ports it answers, and whether it speaks TLS at all.
const NGINX_SETTINGS = ["NGINX_PORT", "NGINX_SSL_PORT", "NGINX_HTTPS_ENABLED"];

/** Reads `CERTBOT_DEPLOY`; undefined: nginx is told by the Docker API. */
export function readDeploy(reading: Reading, sources: SettingSources): readonly DeployWay[] | undefined {
  return reading.read("CERTBOT_DEPLOY", (text) => {
    // To the letter, with nothing but blanks between: nginx's own entrypoint reads it, too.
    const ways = text.split(/ +/).map((word) => {
      if (word === WATCH) return readWatch(word, sources);
      return word.startsWith(SERVICE) ? parseService(word) : parseVerify(word);
    });
    return [...new Map(ways.map((way) => [way.word, way])).values()];
  });
}

function readWatch(word: string, sources: SettingSources): DeployWay {
  const typed = typedVariables(sources);
  const set = NGINX_SETTINGS.flatMap((name) => {
    const text = typed.get(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return { kind: "watch", word, nginx: Object.fromEntries(set) };
}

// As Compose allows them (compose-spec, `services` and `name`).
function parseService(word: string): DeployWay {
  const [, project, service] = /^service:(?:([a-z0-9][a-z0-9_-]*)\/)?([a-zA-Z0-9._-]+)$/.exec(word) ?? [];
  if (service === undefined) throw new ValueProblem("names no compose service", ALLOWED);
  return { kind: "service", word, service, project };
}

function parseVerify(word: string): DeployWay {
  if (!word.startsWith("verify:")) throw new ValueProblem("is no way to deploy", ALLOWED);
  const [, bracketed, plain, port = ""] = /^verify:(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(word) ?? [];
  const host = bracketed ?? plain?.toLowerCase();
  if (host === undefined) throw new ValueProblem("has no host and port that can be told apart", ALLOWED);
  if (bracketed === undefined ? !isHost(host) : !isIPv6(host) || host.includes("%") || host === "::")
    throw new ValueProblem(`names ${JSON.stringify(host)}, which is no host`, ALLOWED);
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535)
    throw new ValueProblem(`names ${JSON.stringify(port)}, which is no port`, ALLOWED);
  return { kind: "verify", word: word.toLowerCase(), host, port: Number(port) };
}

// A container's name may have an underscore. What ends in a number would be read as an IPv4 address (WHATWG URL §3.5).
function isHost(host: string): boolean {
  if (isIPv4(host)) return host !== "0.0.0.0";
  const labels = host.split(".");
  return (
    host.length <= 253 &&
    labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) &&
    !/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")
  );
}
