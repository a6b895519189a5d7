import type { Episode, Fault } from "./fault-plan.ts";
import { deployHindranceOf, hindranceOf, type Hindrances } from "./hindrances.ts";
import type { Timeline } from "./timeline.ts";
import type { VirtualTime } from "./virtual-time.ts";

// A CA lets certificates begin an hour before.
const BACKDATED_MS = 3600_000;

/** Called when a fault begins or ends. */
export type OnChange = (fault: Fault, isBeginning: boolean) => void;

/** What a schedule of faults works with. */
export type ScheduleParts = {
  readonly time: VirtualTime;
  readonly timeline: Timeline;
  /** What stands in the way of orders. */
  readonly hindrances: Hindrances;
  /** What stands in the way of deploys. */
  readonly deployHindrances: Hindrances;
};

/** What is wrong at the moment. */
export class ActiveFaults {
  #active: readonly Episode[] = [];

  /** Lets each episode begin and end at its time, and writes down what it hinders. */
  schedule(
    episodes: readonly Episode[],
    { time, timeline, hindrances, deployHindrances }: ScheduleParts,
    onChange: OnChange,
  ): void {
    for (const episode of episodes) {
      const { fault, fromMs, toMs } = episode;
      const hindrance = hindranceOf(fault);
      const deployHindrance = deployHindranceOf(fault);
      if (hindrance) hindrances.add({ fromMs, toMs, ...hindrance });
      if (deployHindrance) deployHindrances.add({ fromMs, toMs, ...deployHindrance });
      time.at(fromMs, () => {
        timeline.tell(() => `BEGIN ${JSON.stringify(fault)} until ${new Date(toMs).toISOString()}`);
        this.#active = [...this.#active, episode];
        onChange(fault, true);
      });
      time.at(toMs, () => {
        timeline.tell(() => `END ${JSON.stringify(fault)}`);
        this.#active = this.#active.filter((one) => one !== episode);
        onChange(fault, false);
      });
    }
  }

  all(): readonly Episode[] {
    return this.#active;
  }

  /** The faults of a kind. */
  of<Kind extends Fault["kind"]>(kind: Kind): Extract<Fault, { kind: Kind }>[] {
    return this.#active.flatMap(({ fault }) => (fault.kind === kind ? [fault as Extract<Fault, { kind: Kind }>] : []));
  }

  has(kind: Fault["kind"]): boolean {
    return this.#active.some(({ fault }) => fault.kind === kind);
  }

  /** Why a server refuses a certificate of a lineage: for a file of the operator's, or since it is from the time of the fault. */
  refusal(lineage: number, validFromMs: number): string | undefined {
    const refusing = this.#active.find(({ fault, fromMs }) => {
      if (fault.kind !== "refusing") return false;
      return fault.whose === "operators" || (fault.lineage === lineage && validFromMs + BACKDATED_MS >= fromMs);
    });
    return refusing && `emerg: ${JSON.stringify(refusing.fault)}`;
  }

  /** The kind of the first one that hinders orders. */
  trouble(): string {
    return this.#active.find(({ fault }) => hindranceOf(fault))?.fault.kind ?? "nothing";
  }
}
