import { excerpt, hasErrno, OperatorError, PlainError } from "../../certificate/index.ts";
import type { Named } from "../errors.ts";
import type { HaproxyPaths } from "./crt-list.ts";

const WORDS = 300;

/** HAProxy's runtime API can't be reached, or says nothing in time. */
export function runtimeUnreachable(
  { name, service }: Named,
  { socket, folder }: HaproxyPaths,
  cause: unknown,
): PlainError {
  const message = `could not ask HAProxy in ${name} by its socket ${socket}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new PlainError({ code: "TARGET_RUNTIME_UNREACHABLE", message, remedy: wayToSocket(), cause });

  function wayToSocket(): string {
    if (hasErrno(cause, "ENOENT", "ENOTDIR"))
      return `Mount one volume on ${folder} in the service ${service} and in this container, and write "stats socket ${socket} mode 660 level admin" into the global section of HAProxy's configuration.`;
    if (hasErrno(cause, "EACCES", "EPERM"))
      return `Run this container as root with the capability DAC_OVERRIDE, or in the group that owns ${socket}.`;
    return `Read docker compose logs ${service}; it is tried again by itself.`;
  }
}

/** HAProxy didn't do what it was told by its runtime API, and goes on with what it has: read its words. */
export class RuntimeRefusedError extends OperatorError {
  readonly code = "TARGET_RUNTIME_REFUSED";
  readonly remedy: string;

  constructor({ name, service }: Named, command: string, words: string) {
    const said = excerpt(words, WORDS) || "nothing";
    super(`HAProxy in ${name} was told "${command}" and said: ${said}`);
    this.remedy = /permission denied/i.test(said)
      ? `Write "level admin" behind the stats socket in HAProxy's configuration and restart the service ${service}.`
      : `Mend what it names; it is tried again by itself. Where the whole PEM is longer than HAProxy's tune.bufsize, make that larger.`;
  }
}

/** HAProxy's configuration doesn't use the crt-list that we keep, so that no certificate of ours can be given to it. */
export function crtListUnused(
  { name, service }: Named,
  { crtList }: HaproxyPaths,
  used: readonly string[],
): PlainError {
  const has = used.length === 0 ? "it uses none" : `it uses ${excerpt(used.join(", "), WORDS)}`;
  const message = `HAProxy in ${name} does not use the crt-list ${crtList}: ${has}`;
  const remedy = `Write "bind :443 ssl strict-sni crt-list ${crtList}" into its configuration and restart the service ${service}.`;
  return new PlainError({ code: "TARGET_CRT_LIST_UNUSED", message, remedy });
}

/** Somebody else is changing a certificate in HAProxy; two at a time would mix them up. */
export function transactionOpen({ name }: Named, { socket }: HaproxyPaths, path: string): PlainError {
  const message = `somebody is changing the certificate ${excerpt(path, WORDS)} in ${name} and has not committed it`;
  const remedy = `Send "commit ssl cert" or "abort ssl cert" with that file to ${socket}; the deploy is tried again by itself.`;
  return new PlainError({ code: "TARGET_TRANSACTION_OPEN", message, remedy });
}

/** The folder that is shared with HAProxy doesn't take the files that HAProxy reads at its start. */
export function folderUnusable({ name, service }: Named, { folder }: HaproxyPaths, cause: unknown): PlainError {
  const message = `could not keep the certificates of ${name} in ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`;
  const remedy = `Mount ${folder} writable in this container, as the same volume as in the service ${service}, and see that it isn't full.`;
  return new PlainError({ code: "TARGET_FOLDER_UNUSABLE", message, remedy, cause });
}
