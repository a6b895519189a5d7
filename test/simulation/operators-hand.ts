import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fault } from "./fault-plan.ts";
import { lineageOf } from "./settings.ts";

type Spoiling = Extract<Fault, { kind: "conf-spoiled" }>;

const SPOILED = { empty: "", garbled: "[renewalparams\nserver https\n", gone: undefined } as const;

/** What people do in `/etc/letsencrypt` by hand, at once each. */
export class OperatorsHand {
  readonly #root: string;
  readonly #texts = new Map<Fault, string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes a lineage's conf unreadable, where there is one. */
  spoil(fault: Spoiling): void {
    const text = this.#conf(fault);
    if (text === undefined) return;
    this.#texts.set(fault, text);
    const spoiled = SPOILED[fault.how];
    if (spoiled === undefined) rmSync(this.#confPath(fault));
    else writeFileSync(this.#confPath(fault), spoiled);
  }

  /** Puts it back as it was, unless the sidecar has written another one since. */
  mend(fault: Spoiling): void {
    const text = this.#texts.get(fault);
    if (text !== undefined && this.#conf(fault) === SPOILED[fault.how]) writeFileSync(this.#confPath(fault), text);
  }

  /** Copies `live/`: its links as they are, or what they lead to. */
  backUp(how: "links" | "copies"): void {
    const [live, backup] = [join(this.#root, "live"), this.#backup()];
    rmSync(backup, { recursive: true, force: true });
    if (existsSync(live)) cpSync(live, backup, copying(how));
  }

  /** Puts the copy in the place of `live/`, unless a certificate of now would be lost; whether it did. */
  restore(): boolean {
    const [live, backup] = [join(this.#root, "live"), this.#backup()];
    const shown = existsSync(live) ? readdirSync(live).filter((entry) => !/^(\.|README$)/.test(entry)) : [];
    if (shown.length === 0 || !shown.every((entry) => existsSync(join(backup, entry, "cert.pem")))) return false;
    rmSync(live, { recursive: true });
    cpSync(backup, live, copying("links"));
    return true;
  }

  #backup(): string {
    return join(this.#root, "live.backup");
  }

  #confPath({ lineage }: Spoiling): string {
    return join(this.#root, "renewal", `${lineageOf(lineage)}.conf`);
  }

  #conf(fault: Spoiling): string | undefined {
    const path = this.#confPath(fault);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }
}

function copying(how: "links" | "copies") {
  return { recursive: true, verbatimSymlinks: how === "links", dereference: how === "copies" };
}
