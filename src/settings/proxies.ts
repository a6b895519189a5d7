import { PROXY_NAMES, type Config } from "./config.ts";
import { ValueProblem } from "./mistake.ts";
import type { Reading } from "./reading.ts";

/** Reads the variables that name proxies. Node passes over what it doesn't understand in them without a word. */
export function readProxies(reading: Reading): Config["proxies"] {
  const read = PROXY_NAMES.flatMap((name) => {
    const value = reading.read(name, name === "NO_PROXY" ? (text) => text : parseProxy);
    return value === undefined ? [] : [[name, value]];
  });
  return read.length === 0 ? undefined : Object.fromEntries(read);
}

function parseProxy(text: string): string {
  const url = /^https?:\/\/[^/]/i.test(text) ? URL.parse(text) : null;
  if (url !== null) return url.href;
  const allowed = "an http:// or https:// URL like http://proxy.your-site.org:3128, or nothing";
  throw new ValueProblem("is no proxy that can be used", allowed);
}
