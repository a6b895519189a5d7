import type { DeathPlace, Incident } from "./fault-plan.ts";
import type { TargetCall } from "./simulated-target.ts";

type Death = Extract<Incident, { kind: "death" }>;

/** Counts the calls down to the one at which the sidecar is to die. */
export class Doom {
  #death: Death | undefined;
  #callsLeft = 0;
  #isDeploying = false;

  /** From now on; what was to come before is forgotten. */
  set(death: Death): void {
    this.#death = death;
    this.#callsLeft = death.calls;
  }

  /** Forgets it, and gives how long the sidecar stays away. */
  lift(): number {
    const { downMs = 0 } = this.#death ?? {};
    this.#death = undefined;
    return downMs;
  }

  /** No configuration is being tested or applied any more. */
  tellRunEnded(): void {
    this.#isDeploying = false;
  }

  strikesAtTarget(call: TargetCall): boolean {
    this.#isDeploying ||= call === "check";
    return this.#isDeploying && this.#strikes("deploy");
  }

  strikesOnDisk(): boolean {
    return this.#strikes("disk") || (this.#isDeploying && this.#strikes("deploy"));
  }

  strikesAtRequest(): boolean {
    return this.#strikes("request");
  }

  #strikes(at: DeathPlace): boolean {
    if (this.#death?.at !== at) return false;
    this.#callsLeft -= 1;
    return this.#callsLeft <= 0;
  }
}
