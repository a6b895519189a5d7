import { createDraws, type Draws } from "./draws.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** What is wrong for a while. `lineage` is the number of the one it is about. */
export type Fault =
  | { readonly kind: "outage"; readonly how: "refused" | "reset" | "timeout" | "no-dns" }
  /** This share of all requests, or of their answers, gets lost. */
  | { readonly kind: "flaky"; readonly rate: number }
  | {
      readonly kind: "failing";
      readonly at: "everything" | "orders" | "finalize";
      readonly status: number;
      readonly told: Told;
    }
  | {
      readonly kind: "rate-limit";
      readonly scope: "account" | "name" | "exact-set";
      readonly lineage: number;
      readonly told: Told;
    }
  | { readonly kind: "renewal-info"; readonly how: RenewalInfoFault }
  | { readonly kind: "proof"; readonly lineage: number; readonly type: "connection" | "dns" | "unauthorized" | "caa" }
  /** This share of all nonces is refused. */
  | { readonly kind: "nonces"; readonly rate: number }
  /** The CA takes longer for each decision than anybody waits. */
  | { readonly kind: "slow" }
  | { readonly kind: "disk-full" }
  /** The server refuses its configuration: for a file of the operator's, or for each version of ours from now on. */
  | { readonly kind: "refusing"; readonly whose: "operators" | "ours"; readonly lineage: number }
  /** A hand has made a lineage's conf something that can't be read; it is mended at the end. */
  | { readonly kind: "conf-spoiled"; readonly lineage: number; readonly how: "empty" | "garbled" | "gone" }
  /** A mistake in the settings: in the words that say how to order, or in those of one certificate. */
  | { readonly kind: "wrong-setting"; readonly about: "orders" | "certificate"; readonly lineage: number }
  /** Our clock is slow, and set right at the end. */
  | { readonly kind: "clock-behind"; readonly byMs: number }
  /** The machine is off. */
  | { readonly kind: "stopped" };

/** How a CA asks for patience: its Retry-After, if any, and whether it means it. */
export type Told = "seconds" | "date" | "none" | "text" | "huge" | "nonsense";

/** What renewal information looks like that is none. */
export type RenewalInfoFault =
  | "html"
  | "end-before-start"
  | "no-retry-after"
  | "years-ahead"
  | "unsupported"
  | "server-error"
  | "not-found"
  | "lost";

/** A fault, how long it lasts, and whether the fallback CA has it too. */
export type Episode = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly fault: Fault;
  readonly isEverywhere: boolean;
};

/** What happens in one moment. */
export type Incident =
  /** The sidecar dies at its n-th call of a kind from now on, and comes back later. */
  | { readonly kind: "death"; readonly at: DeathPlace; readonly calls: number; readonly downMs: number }
  /** `live/` becomes again what it was a day ago. */
  | { readonly kind: "live-restored"; readonly how: "links" | "copies" }
  /** The CA wants everything that it has issued to be renewed within this time, or by some time ago. */
  | { readonly kind: "mass-revocation"; readonly startMs: number; readonly endMs: number }
  | { readonly kind: "accounts-dropped"; readonly how: "deleted" | "deactivated" }
  | { readonly kind: "nonces-forgotten" }
  | { readonly kind: "names-changed"; readonly lineage: number }
  /** Somebody types update-cert so many times. */
  | {
      readonly kind: "command";
      readonly what: "plain" | "force" | "dry-run";
      readonly times: number;
      readonly everyMs: number;
    };

/** Calls that may be the last: on the disk, to the CA, or from the server's configuration test on, on disk and server. */
export type DeathPlace = "disk" | "request" | "deploy";

/** Everything that goes wrong in one simulated life. */
export type FaultPlan = {
  readonly episodes: readonly Episode[];
  readonly incidents: readonly { readonly atMs: number; readonly incident: Incident }[];
};

/** What a plan is drawn for. */
export type PlanFrame = {
  readonly startMs: number;
  readonly endMs: number;
  readonly lifeMs: number;
  readonly lineages: number;
};

// How often a year, in a life of middling trouble.
const EPISODES_A_YEAR: Readonly<Record<Fault["kind"] | "siege", number>> = {
  outage: 3,
  flaky: 3,
  failing: 3,
  "rate-limit": 4,
  "renewal-info": 6,
  proof: 4,
  nonces: 3,
  slow: 3,
  "disk-full": 2,
  stopped: 3,
  siege: 2,
  refusing: 4,
  "conf-spoiled": 3,
  "clock-behind": 2,
  "wrong-setting": 1.5,
};
const INCIDENTS_A_YEAR: Readonly<Record<Incident["kind"], number>> = {
  death: 24,
  "mass-revocation": 1.5,
  "accounts-dropped": 1,
  "nonces-forgotten": 4,
  "names-changed": 1.5,
  command: 8,
  "live-restored": 1.5,
};

const SHORTEST: Partial<Record<Fault["kind"], number>> = {
  stopped: MINUTE,
  refusing: HOUR,
  "conf-spoiled": HOUR,
  "wrong-setting": HOUR,
};
const LONGEST: Partial<Record<Fault["kind"], number>> = {
  "disk-full": DAY,
  slow: DAY,
  nonces: 3 * DAY,
  stopped: 2 * DAY,
  "wrong-setting": 31 * DAY,
};

/**
 * Draws what goes wrong: each kind by itself, so that they mix and overlap, and a new kind changes nothing of the others; some
 * lives are calm, some hostile.
 */
export function drawFaultPlan(seed: number, frame: PlanFrame): FaultPlan {
  const hostility = createDraws(seed, "hostility").spread(0.1, 1);
  const years = (frame.endMs - frame.startMs) / YEAR;
  // The first weeks are quiet enough to get a certificate at all, in most lives.
  const moment = (draws: Draws) => draws.between(frame.startMs + (draws.chance(0.1) ? 0 : 7 * DAY), frame.endMs);
  const many = <Thing>([kind, perYear]: [string, number], draw: (draws: Draws) => Thing): Thing[] => {
    const draws = createDraws(seed, `plan of ${kind}`);
    const length = Math.round(perYear * years * hostility * draws.between(0.3, 1.7));
    return Array.from({ length }, () => draw(draws));
  };
  const episodes = Object.entries(EPISODES_A_YEAR).flatMap(([kind, perYear]) =>
    many([kind, perYear], (draws) =>
      kind === "siege"
        ? drawSiege(draws, frame, moment(draws))
        : [drawEpisode(draws, frame, { kind: kind as Fault["kind"], fromMs: moment(draws) })],
    ).flat(),
  );
  const incidents = Object.entries(INCIDENTS_A_YEAR).flatMap(([kind, perYear]) =>
    many([kind, perYear], (draws) => {
      const atMs = moment(draws);
      return { atMs, incident: drawIncident(draws, frame, { kind: kind as Incident["kind"], atMs }) };
    }),
  );
  return {
    episodes: episodes.sort((a, b) => a.fromMs - b.fromMs),
    incidents: incidents.sort((a, b) => a.atMs - b.atMs),
  };
}

type Start = { readonly kind: Fault["kind"]; readonly fromMs: number };

function drawEpisode(draws: Draws, frame: PlanFrame, { kind, fromMs }: Start): Episode {
  // Weeks happen, but not to everybody.
  const draw = () => draws.spread(SHORTEST[kind] ?? 10 * MINUTE, LONGEST[kind] ?? 3 * 7 * DAY);
  const lastsMs = draws.chance(0.3) ? draw() : Math.min(draw(), draw());
  return {
    fromMs,
    toMs: Math.min(frame.endMs, fromMs + lastsMs),
    fault: drawFault(draws, frame, kind),
    ...drawReach(draws),
  };
}

function drawReach(draws: Draws) {
  return { isEverywhere: draws.chance(0.3) };
}

// One trouble after the other, with an hour and a bit in between: what must be enough.
function drawSiege(draws: Draws, frame: PlanFrame, fromMs: number): Episode[] {
  const endMs = Math.min(frame.endMs, fromMs + draws.spread(frame.lifeMs / 6, frame.lifeMs / 2));
  const kinds = draws.pick<readonly [Fault["kind"], ...Fault["kind"][]]>([
    ["outage"],
    ["failing"],
    ["nonces"],
    ["outage", "failing", "nonces"],
  ]);
  const episodes: Episode[] = [];
  for (let at = fromMs; at < endMs;) {
    const kind = draws.pick(kinds);
    const toMs = Math.min(endMs, at + draws.spread(frame.lifeMs / 50, frame.lifeMs / 6));
    const fault = kind === "nonces" ? ({ kind, rate: 1 } as const) : drawFault(draws, frame, kind);
    episodes.push({ fromMs: at, toMs, fault, ...drawReach(draws) });
    at = toMs + draws.between(61 * MINUTE, 90 * MINUTE);
  }
  return episodes;
}

function drawFault(draws: Draws, frame: PlanFrame, kind: Fault["kind"]): Fault {
  const lineage = draws.whole(0, frame.lineages - 1);
  switch (kind) {
    case "outage":
      return { kind, how: draws.pick(["refused", "reset", "timeout", "no-dns"]) };
    case "flaky":
      return { kind, rate: draws.between(0.01, 0.6) };
    case "failing": {
      const at = draws.pick(["everything", "orders", "finalize"]);
      const told = draws.pick(["none", "none", "none", "seconds", "date"]);
      return { kind, at, status: draws.pick([500, 502, 503]), told };
    }
    case "rate-limit": {
      const scope = draws.pick(["account", "name", "exact-set"]);
      const told = draws.pick(["seconds", "seconds", "date", "none", "text", "nonsense"]);
      return { kind, scope, lineage, told: draws.chance(0.05) ? "huge" : told };
    }
    case "renewal-info": {
      const broken = ["html", "end-before-start", "no-retry-after", "server-error", "not-found", "lost"] as const;
      return { kind, how: draws.pick([...broken, "unsupported", "years-ahead"]) };
    }
    case "proof":
      return { kind, lineage, type: draws.pick(["connection", "dns", "unauthorized", "caa"]) };
    case "nonces":
      return { kind, rate: draws.chance(0.5) ? draws.between(0.05, 0.5) : draws.between(0.5, 1) };
    case "refusing":
      return { kind, lineage, whose: draws.pick(["operators", "ours"]) };
    case "conf-spoiled":
      return { kind, lineage, how: draws.pick(["empty", "garbled", "gone"]) };
    case "wrong-setting":
      return { kind, lineage, about: draws.pick(["orders", "certificate"]) };
    case "clock-behind":
      return { kind, byMs: draws.spread(MINUTE, 3 * DAY) };
    case "slow":
    case "disk-full":
    case "stopped":
      return { kind };
  }
}

type IncidentStart = { readonly kind: Incident["kind"]; readonly atMs: number };

function drawIncident(draws: Draws, frame: PlanFrame, { kind, atMs }: IncidentStart): Incident {
  switch (kind) {
    case "death": {
      const downMs = draws.chance(0.6) ? draws.spread(1000, MINUTE) : draws.spread(MINUTE, DAY);
      const at = draws.pick(["disk", "request", "deploy"]);
      const most = at === "deploy" ? draws.pick([2, 8, 30]) : draws.pick([5, 40, 200]);
      return { kind, at, calls: draws.whole(1, most), downMs };
    }
    case "mass-revocation": {
      const startMs = atMs - draws.spread(HOUR, 3 * DAY);
      return { kind, startMs, endMs: draws.chance(0.5) ? atMs - MINUTE : atMs + draws.spread(HOUR, 3 * DAY) };
    }
    case "accounts-dropped":
      return { kind, how: draws.pick(["deleted", "deactivated"]) };
    case "names-changed":
      return { kind, lineage: draws.whole(0, frame.lineages - 1) };
    case "command": {
      const what = draws.pick(["plain", "plain", "force", "dry-run"]);
      return { kind, what, times: draws.whole(1, draws.pick([1, 3, 12])), everyMs: draws.spread(MINUTE, HOUR) };
    }
    case "live-restored":
      return { kind, how: draws.pick(["links", "copies"]) };
    case "nonces-forgotten":
      return { kind };
  }
}
