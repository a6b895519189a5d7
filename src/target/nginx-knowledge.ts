import type { ExecResult } from "./docker/exec.ts";
import type { Place, TargetTools } from "./kind.ts";
import {
  askNginx,
  filesCommand,
  NOTHING_SAID,
  readFiles,
  readSays,
  SAYS_COMMAND,
  wholeOf,
  type NginxSays,
} from "./nginx-files.ts";
import { listeningOf, type Listening } from "./nginx-listeners.ts";

/** What is known of how an nginx serves. */
export type Known = { readonly says: NginxSays; readonly listening?: Listening | undefined };

// Somebody else may have changed and reloaded it since. To nginx a question costs what a test of its configuration costs.
const MAY_BE_OLD_MS = 60 * 60_000;

/** What one search for targets knows of an nginx; it is asked when that is needed. */
export class NginxKnowledge {
  readonly #place: Place;
  readonly #tools: TargetTools;
  // Worked out once: it looks at all servers, and is wanted for each certificate.
  #before: Known | undefined;
  #isTested = false;
  readonly #fresh = new Once<Known>();
  readonly #files = new Once<NginxSays["files"]>();

  constructor(place: Place, tools: TargetTools) {
    this.#place = place;
    this.#tools = tools;
  }

  // It reads its configuration anew at each.
  get #start(): string {
    const { id, startedAt } = this.#place.container;
    return `${id} ${startedAt?.getTime()}`;
  }

  /** What it said since the last reload in an earlier search; undefined where it was asked in this one, or too long ago. */
  get before(): Known | undefined {
    const { clock, kept } = this.#tools;
    const found = kept.get(this.#place.name);
    const ageMs = clock.now().getTime() - (found?.at ?? 0);
    if (this.#fresh.isAsked || found?.start !== this.#start || ageMs < 0 || ageMs > MAY_BE_OLD_MS) return undefined;
    return (this.#before ??= this.#know({ ...NOTHING_SAID, servers: found.servers }));
  }

  /** What it says; asked once. Nothing where it can't be asked. Throws only the signal's reason. */
  fresh(signal: AbortSignal): Promise<Known> {
    return this.#fresh.get(() => this.#ask(signal));
  }

  /** What is in the certificate files of its configuration; asked once. Throws only the signal's reason. */
  files(signal: AbortSignal): Promise<NginxSays["files"]> {
    return this.#files.get(() => this.#askFiles(signal));
  }

  /** Takes what it said when its configuration was tested: it will read that at its next reload. */
  learn(tested: ExecResult): void {
    this.#forget();
    this.#fresh.is(this.#read(wholeOf(tested)));
    this.#isTested = true;
  }

  /** It is about to read its configuration anew: where it wasn't tested just before, it is asked what that is meanwhile. */
  reload(signal: AbortSignal): void {
    if (!this.#isTested) {
      this.#forget();
      this.fresh(signal).catch(() => undefined);
    }
    this.#isTested = false;
  }

  #forget(): void {
    this.#tools.kept.delete(this.#place.name);
    this.#before = undefined;
    this.#fresh.forget();
    this.#files.forget();
  }

  async #ask(signal: AbortSignal): Promise<Known> {
    return this.#read(await askNginx(this.#place, this.#tools, { argv: SAYS_COMMAND, signal }));
  }

  #read(printed: string): Known {
    const { clock, kept, log } = this.#tools;
    const { name } = this.#place;
    const says = readSays(printed);
    const known = this.#know(says);
    if (says.servers) kept.set(name, { start: this.#start, servers: says.servers, at: clock.now().getTime() });
    for (const address of known.listening?.unreached ?? []) log?.debug("target.unreached", { target: name, address });
    return known;
  }

  async #askFiles(signal: AbortSignal): Promise<NginxSays["files"]> {
    const argv = filesCommand((await this.fresh(signal)).says);
    return argv ? readFiles(await askNginx(this.#place, this.#tools, { argv, signal })) : [];
  }

  #know(says: NginxSays): Known {
    const { address, port, others = [] } = this.#place;
    return {
      says,
      listening: says.servers && listeningOf(says.servers, { address, port, addresses: [address, ...others] }),
    };
  }
}

/** What is asked for once; and again after whoever asked was told to stop, as the next one may not have been. */
class Once<Value> {
  #asked: Promise<Value> | undefined;

  get isAsked(): boolean {
    return this.#asked !== undefined;
  }

  get(ask: () => Promise<Value>): Promise<Value> {
    if (this.#asked) return this.#asked;
    const asked = ask();
    this.#asked = asked;
    asked.catch(() => {
      if (this.#asked === asked) this.#asked = undefined;
    });
    return asked;
  }

  is(value: Value): void {
    this.#asked = Promise.resolve(value);
  }

  forget(): void {
    this.#asked = undefined;
  }
}
