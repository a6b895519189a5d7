import { stat } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { isIP } from "node:net";
import { join } from "node:path/posix";
import { wordsOf } from "../certificate/index.ts";
import type { Clock, FrontDoor, SelfCheckFinding } from "../ports/index.ts";
import type { WebrootProof } from "./token-files.ts";

// nginx may be starting beside us, so a closed door is knocked at again; an answer, right or wrong, is final.
const KNOCK_AGAIN_MS = 250;

// Where nobody can name a front server, there mostly is no way to Docker, and waiting for one is in vain.
const FRONT_PATIENCE_MS = 3000;

// A key authorization has some 90 bytes. This much shows what else is served in its place.
const LONGEST_BODY_BYTES = 2048;

type Seen =
  | { readonly kind: "answer"; readonly status: number; readonly body: string }
  | { readonly kind: "no-answer"; readonly words: string };

type SelfCheck = (proof: WebrootProof, signal: AbortSignal) => Promise<SelfCheckFinding | undefined>;

/**
 * Makes the check of a challenge file by the server that the CA will ask, in at most `timeoutMs`. A redirect passes, as the
 * CA follows it. With no front server known it waits 3 s, says so once for all, and is silent from then on.
 */
export function createSelfCheck(front: FrontDoor, clock: Clock, timeoutMs: number): SelfCheck {
  let isFrontMissing = false;
  return async (proof, signal) => {
    const startedAt = clock.now().getTime();
    const wait: Wait = { front, clock, signal, leftMs: () => startedAt + timeoutMs - clock.now().getTime() };
    const url = await findFront(wait, isFrontMissing ? 0 : FRONT_PATIENCE_MS);
    if (url !== undefined) {
      isFrontMissing = false;
      return knock(url, proof, wait);
    }
    const finding = isFrontMissing ? undefined : NO_FRONT;
    isFrontMissing = true;
    return finding;
  };
}

const SERVE_IT =
  'serve "location ^~ /.well-known/acme-challenge/" from it (in our nginx: include /etc/nginx/sidecar/challenge.conf;)';

type Wait = {
  readonly front: FrontDoor;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What is left of the whole check, in milliseconds. */
  readonly leftMs: () => number;
};

async function findFront({ front, clock, signal, leftMs }: Wait, patienceMs: number): Promise<string | undefined> {
  const giveUpAtMs = leftMs() - patienceMs;
  for (;;) {
    const url = await front.httpUrl(signal);
    if (url !== undefined || leftMs() <= Math.max(giveUpAtMs, 0)) return url;
    await clock.sleep(KNOCK_AGAIN_MS, signal);
  }
}

async function knock(firstUrl: string, proof: WebrootProof, wait: Wait): Promise<SelfCheckFinding | undefined> {
  const { front, clock, signal, leftMs } = wait;
  let url = firstUrl;
  for (;;) {
    const seen = await ask(url, proof, { timeoutMs: Math.max(leftMs(), KNOCK_AGAIN_MS), signal });
    if (seen.kind === "answer") return judge(url, { ...proof, closed: await findClosed(proof) }, seen);
    if (leftMs() <= KNOCK_AGAIN_MS) return noAnswer(url, proof, seen.words);
    await clock.sleep(KNOCK_AGAIN_MS, signal);
    // A container that was made anew has another address.
    url = (await front.httpUrl(signal)) ?? url;
  }
}

const NO_FRONT: SelfCheckFinding = {
  message: "The challenge files are not looked at before the CA does: no nginx container was found to ask",
  remedy:
    "Let the sidecar use the Docker socket, or ignore this if another server answers port 80 from the same webroot.",
  isUnasked: true,
};

async function ask(
  base: string,
  { identifier, token }: WebrootProof,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Seen> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const host = isIP(identifier.value) === 6 ? `[${identifier.value}]` : identifier.value;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(new URL(`/.well-known/acme-challenge/${token}`, base), {
    agent: false,
    headers: { Host: host },
    signal: AbortSignal.any([signal, timeout]),
  });
  outgoing.on("response", resolve);
  outgoing.on("error", reject);
  outgoing.end();
  try {
    const incoming = await promise;
    return { kind: "answer", status: incoming.statusCode ?? 0, body: await readStart(incoming) };
  } catch (cause) {
    signal.throwIfAborted();
    if (timeout.aborted) return { kind: "no-answer", words: "did not answer in time" };
    return { kind: "no-answer", words: `can't be reached (${wordsOf(cause)})` };
  }
}

async function readStart(incoming: IncomingMessage): Promise<string> {
  incoming.setEncoding("latin1"); // a key authorization is ASCII; anything else is only shown
  let text = "";
  for await (const chunk of incoming) {
    text += String(chunk);
    if (text.length > LONGEST_BODY_BYTES) break; // which also closes the connection
  }
  return text;
}

// nginx's workers are another user.
const FOR_OTHERS = 0o005;

/** The first folder on the way to the challenge file that is closed to other users, with its mode; undefined: none is. */
async function findClosed({ webrootPath }: WebrootProof): Promise<string | undefined> {
  const wellKnown = join(webrootPath, ".well-known");
  for (const folder of [webrootPath, wellKnown, join(wellKnown, "acme-challenge")]) {
    const mode = await stat(folder).then(
      (found) => found.mode & 0o777,
      () => FOR_OTHERS,
    );
    if ((mode & FOR_OTHERS) !== FOR_OTHERS) return `${folder} has the mode 0${mode.toString(8)}`;
  }
  return undefined;
}

type Judged = WebrootProof & { readonly closed: string | undefined };

function judge(base: string, proof: Judged, seen: Seen & { kind: "answer" }): SelfCheckFinding | undefined {
  const { identifier, webrootPath, keyAuthorization, closed } = proof;
  const { status, body } = seen;
  if (status >= 300 && status < 400) return undefined;
  // RFC 8555 §8.3: white space at the end is ignored.
  if (status === 200 && body.trimEnd() === keyAuthorization) return undefined;
  const answered = `nginx at ${base} answered ${status} for the challenge of ${identifier.value}`;
  const share = `Mount the same folder at ${webrootPath} in nginx and in the sidecar, and let the server of this name ${SERVE_IT}.`;
  if (status === 401) {
    return { message: `${answered}: it asks for a password`, remedy: `Let the server of this name ${SERVE_IT}.` };
  }
  if (status === 403 && closed !== undefined) {
    return {
      message: `${answered}: it is not allowed to read ${webrootPath}, as ${closed}`,
      remedy: `Run chmod o+rx on that folder where it is stored: nginx's workers are another user.`,
    };
  }
  if (status === 403) {
    return {
      message: `${answered}: a rule of its own forbids it, most often one for names with a dot in front (location ~ /\\.)`,
      remedy: `Let the server of this name ${SERVE_IT}: its ^~ comes before such rules.`,
    };
  }
  if (status === 404) {
    const message = `${answered}: it doesn't see ${webrootPath}, or a server of your own has this name and doesn't serve it`;
    return { message, remedy: share };
  }
  if (status >= 500) {
    return {
      message: `${answered}: it hands the challenge to an upstream that fails`,
      remedy: "Give /.well-known/acme-challenge/ its own location in nginx, before what goes to the application.",
    };
  }
  const start = body.replaceAll(/\s+/g, " ").trim().slice(0, 60);
  return { message: `${answered}, but with something else than the file in ${webrootPath}: "${start}"`, remedy: share };
}

function noAnswer(base: string, { identifier }: WebrootProof, words: string): SelfCheckFinding {
  return {
    message: `nginx at ${base} ${words}, so the challenge of ${identifier.value} could not be looked at`,
    remedy: "Start nginx and look at its log; the CA must be able to reach it on port 80.",
  };
}
