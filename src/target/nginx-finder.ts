import { toFailure } from "../certificate/index.ts";
import type { Clock, FrontDoor } from "../ports/index.ts";
import type { Target, Found, MissingTarget, TargetSource } from "../reconcile/index.ts";
import { chooseAddress, urlHost, type Vantage } from "./docker/container-address.ts";
import type { Container } from "./docker/container.ts";
import { httpPort, PORT_LABEL, tlsPort, whyHttpsMayBeOff } from "./nginx-settings.ts";
import { createNginxTarget, type NginxTargetParts } from "./nginx.ts";
import { surveyService, type Replica, type SurveyParts } from "./service-survey.ts";
import { TargetNotRunningError, TargetUnreachableError } from "./errors.ts";
import { shakeHands } from "./tls/handshake.ts";

/** What the finder needs besides what the survey does. */
export type FinderParts = SurveyParts & {
  readonly clock: Clock;
  readonly random: () => number;
  /** Time limit of one TLS handshake, in milliseconds. */
  readonly handshakeMs: number;
};

/** Finds the nginx containers of our own compose project: all replicas that run, by name, never another project's. */
export function createNginxFinder(parts: FinderParts): TargetSource {
  return {
    find: async (signal) => {
      try {
        const { replicas, vantage } = await surveyService(parts, signal);
        return await sortReplicas(parts, { replicas, vantage, signal });
      } catch (thrown) {
        signal.throwIfAborted();
        return { targets: [], off: [], missing: [{ name: parts.service, failure: toFailure(thrown) }] };
      }
    },
  };
}

/** The way to port 80 of the nginx of our own compose project, HTTPS on or off. */
export function createFrontDoor(parts: SurveyParts): FrontDoor {
  return {
    httpUrl: async (signal) => {
      try {
        const { replicas, vantage } = await surveyService(parts, signal);
        for (const { container } of replicas.filter(isRunning)) {
          const reach = chooseAddress(vantage, container);
          if (reach.kind === "address") return `http://${urlHost(reach.address)}:${httpPort(container)}`;
        }
      } catch {
        signal.throwIfAborted(); // whatever else it is: no door is known, and the finder says why
      }
      return undefined;
    },
  };
}

type Surveyed = { readonly replicas: readonly Replica[]; readonly vantage: Vantage; readonly signal: AbortSignal };

async function sortReplicas(parts: FinderParts, { replicas, vantage, signal }: Surveyed): Promise<Found> {
  const off: Found["off"][number][] = [];
  const targets: Target[] = [];
  const down: Replica[] = [];
  const missing: MissingTarget[] = [];
  for (const replica of replicas) {
    const reason = whyHttpsMayBeOff(replica.container);
    try {
      const place = isRunning(replica) ? await findPlace(parts, { replica, vantage, signal }) : undefined;
      const isOff = reason !== undefined && (place === undefined || (await isRefused(place, signal)));
      if (isOff) off.push({ name: replica.name, reason });
      else if (place === undefined) down.push(replica);
      else targets.push(createNginxTarget(place));
    } catch (thrown) {
      signal.throwIfAborted();
      missing.push({ name: replica.name, failure: toFailure(thrown) });
    }
  }
  // A replica that is down loads the new files when it starts; only when no other is up does the deploy have to wait.
  if (targets.length + missing.length === 0 && down.length > 0) {
    missing.push({ name: parts.service, failure: toFailure(notRunning(parts.service, down)) });
  }
  return { targets, off, missing };
}

type Placed = { readonly replica: Replica; readonly vantage: Vantage; readonly signal: AbortSignal };

async function findPlace(parts: FinderParts, { replica, vantage, signal }: Placed): Promise<NginxTargetParts> {
  const { name, container } = replica;
  const reach = chooseAddress(vantage, container);
  if (reach.kind === "no-common-network") throw new TargetUnreachableError(name, parts.service, reach);
  const isLabelled = container.labels[PORT_LABEL] !== undefined;
  const imageLabels = isLabelled ? await parts.engine.imageLabels(container.imageId, signal) : {};
  return { ...parts, replica, address: reach.address, tlsPort: tlsPort(name, container, imageLabels) };
}

// The words alone turn nothing off: to nginx's own step "False" is a slip, and a server of the operator's reads no words.
async function isRefused(place: NginxTargetParts, signal: AbortSignal): Promise<boolean> {
  const { address, tlsPort: port, clock, handshakeMs: ms } = place;
  const handshake = await shakeHands({ address, port, serverName: undefined, clock, ms }, signal);
  return handshake.kind === "no-connection" && handshake.because === "refused";
}

function isRunning({ container }: Replica): boolean {
  return container.status === "running";
}

function notRunning(service: string, replicas: readonly Replica[]): TargetNotRunningError {
  const states = replicas.map(({ container }) => container.status);
  const stuck = (["restarting", "paused"] as const).find((state) => states.includes(state));
  const words = replicas.map(({ name, container }) => `${name} is ${describeState(container)}`);
  return new TargetNotRunningError(service, words, { stuck });
}

function describeState({ status, exitCode }: Container): string {
  switch (status) {
    case "exited":
      return `stopped (exit code ${exitCode})`;
    case "restarting":
      return `restarting (exit code ${exitCode})`;
    case "created":
      return "created, but has never started";
    default:
      return status;
  }
}
