import { toFailure } from "../certificate/index.ts";
import type { FrontDoor } from "../ports/index.ts";
import type { Found, MissingTarget, TargetSource } from "../reconcile/index.ts";
import { readCopy } from "./copy-label.ts";
import { surveyProject, type Replica, type Survey, type SurveyParts } from "./compose-survey.ts";
import { chooseAddress, urlHost, type OwnPlace } from "./docker/container-address.ts";
import type { Container, Labels } from "./docker/container.ts";
import { targetNotFound, targetNotRunning, targetUnreachable } from "./errors.ts";
import type { Place, ServerKind, TargetKind, TargetTools } from "./kind.ts";
import { COPY, DEPLOY, labelSlip, operatorsLabels, readDeploy, readPort, readWants, type TlsPort } from "./labels.ts";
import { watchStarts, type WatchParts } from "./start-watch.ts";
import { shakeHands } from "./tls/handshake.ts";

/** What a source needs besides what the watch does. */
export type SourceParts = WatchParts & {
  /** What a target can be; the first is what the service is without a label. */
  readonly kinds: readonly [TargetKind, ...TargetKind[]];
  readonly tools: TargetTools;
  /** Time limit of one TLS handshake, in milliseconds. */
  readonly handshakeMs: number;
};

/**
 * Finds the targets among the containers of one compose project, by name: all replicas of its services, and in our own project those
 * that an operator has labelled.
 */
export function createComposeSource(parts: SourceParts): TargetSource {
  return {
    find: async (signal) => {
      try {
        return await findTargets(parts, await surveyProject(parts, signal), signal);
      } catch (thrown) {
        signal.throwIfAborted();
        return { targets: [], off: [], missing: [missingFor(titleOf(parts), thrown)] };
      }
    },
    watch: (onStart, signal) => watchStarts(parts, onStart, signal),
  };
}

/** The way to port 80 of what shows the CA our challenges, HTTPS on or off. */
export function createFrontDoor(parts: SourceParts): FrontDoor {
  return {
    httpUrl: async (signal) => {
      try {
        const { replicas, ownPlace } = await surveyProject(parts, signal);
        for (const replica of replicas.filter(isRunning)) {
          const chosen = await identify(parts, replica, signal).catch(() => undefined);
          const port = chosen?.kind.httpPort?.(replica.container);
          const reach = chooseAddress(ownPlace, replica.container);
          if (reach.kind === "address" && port !== undefined) return `http://${urlHost(reach.address)}:${port}`;
        }
      } catch {
        // whatever it is: no door is known, and the source says why
      }
      signal.throwIfAborted();
      return undefined;
    },
  };
}

async function findTargets(parts: SourceParts, survey: Survey, signal: AbortSignal): Promise<Found> {
  const asked = survey.replicas.map(async (replica) => ({ replica, ...(await sort(parts, survey, replica, signal)) }));
  const seen = await Promise.all(asked);
  const all = seen.filter(({ isForeign }) => !isForeign);
  const told = seen.flatMap((one) => one.missing ?? []);
  const missing = [...notFound(parts, survey, { all, told }), ...told];
  // A replica that is down loads the new files when it starts; only when no other is up does the deploy have to wait.
  for (const [service, group] of Map.groupBy(all, ({ replica }) => replica.service)) {
    const down = group.flatMap(({ isDown, replica }) => (isDown ? [replica] : []));
    const isUp = group.some((one) => !one.isDown && (one.targets ?? one.missing));
    if (!isUp && down.length > 0) missing.push(missingFor(titleOf(parts, [service]), notRunning(service, down)));
  }
  return { targets: all.flatMap((one) => one.targets ?? []), off: all.flatMap((one) => one.off ?? []), missing };
}

type Seen = { readonly all: readonly { readonly replica: Replica }[]; readonly told: readonly MissingTarget[] };

// Who hasn't named any is content with one that has a label, or would have but for a slip that is told.
function notFound(parts: SourceParts, survey: Survey, { all, told }: Seen): MissingTarget[] {
  const { scope } = parts;
  const isFound = (service: string) =>
    scope === "default" ? all.length + told.length > 0 : all.some(({ replica }) => replica.service === service);
  const lacking = parts.services.filter((service) => !isFound(service));
  return lacking.map((service) => missingFor(titleOf(parts, [service]), targetNotFound(service, { ...survey, scope })));
}

// What a failure is about that is nobody's own.
function titleOf({ services: all, project, scope }: SurveyParts, services = all): string {
  const names = scope === "another" ? services.map((service) => `${project}/${service}`) : services;
  return names.join(", ") || "all targets";
}

/** What a replica is; foreign where only its image has our label. */
type Sorted = Partial<Found> & { readonly isDown?: true; readonly isForeign?: true };

async function sort(parts: SourceParts, { ownPlace }: Survey, replica: Replica, signal: AbortSignal): Promise<Sorted> {
  const { name } = replica;
  try {
    const labels = await operatorsLabels(parts.engine, replica.container, signal);
    const chosen = choose(parts, replica, labels);
    const slip = labelSlip(name, labels, chosen !== undefined);
    const slips = slip && { missing: [{ name, failure: toFailure(slip) }] };
    if (!chosen) return { isForeign: true, ...slips };
    return { ...(await place(parts, { replica, ownPlace, labels, ...chosen }, signal)), ...slips };
  } catch (thrown) {
    signal.throwIfAborted();
    return { missing: [missingFor(name, thrown)] };
  }
}

// Of what is wrong with a container its next start tells; of what is wrong with the engine, or its proxy, nobody does.
function missingFor(name: string, thrown: unknown): MissingTarget {
  const failure = toFailure(thrown);
  return { name, failure, ...(failure.code.startsWith("DOCKER_") && { isUntold: true }) };
}

type Chosen = ReturnType<typeof readDeploy>;

type Placing = Chosen & Pick<Survey, "ownPlace"> & { readonly replica: Replica; readonly labels: Labels };

async function place(parts: SourceParts, placing: Placing, signal: AbortSignal): Promise<Sorted> {
  const { replica, ownPlace, kind, argument, labels } = placing;
  const { name } = replica;
  if (!isRunning(replica) && !mayBeFilled(replica, kind)) return { isDown: true };
  const port = readPort(name, labels);
  const spot = { ...replica, ...readWants(name, labels) };
  const copy = readCopy(name, labels, kind);
  const placeAt = (at: TlsPort): Place => ({ ...spot, ...at, ...findAddresses(replica, ownPlace) });
  if (kind.tlsPort === undefined) {
    // Whom nobody asks needs no address.
    const isAsked = port !== undefined && isRunning(replica);
    const target = kind.make({ ...spot, copy, place: isAsked ? placeAt(port) : undefined }, argument, parts.tools);
    if (isRunning(replica)) return { targets: [target] };
    return { isDown: true, ...(copy && { targets: [target] }) };
  }
  const at = placeAt(port ?? { port: kind.tlsPort(replica.container) });
  const off = await whyOff(parts, { kind, place: at }, signal);
  return off === undefined ? { targets: [kind.make(at, argument, parts.tools)] } : { off: [{ name, ...off }] };
}

// Without a label the service's containers are targets all the same.
async function identify(parts: SourceParts, replica: Replica, signal: AbortSignal): Promise<Chosen | undefined> {
  return choose(parts, replica, await operatorsLabels(parts.engine, replica.container, signal));
}

function choose({ services, kinds }: SourceParts, replica: Replica, labels: Labels): Chosen | undefined {
  const deploy = labels[DEPLOY] ?? (services.includes(replica.service) || COPY in labels ? kinds[0].name : undefined);
  return deploy === undefined ? undefined : readDeploy(replica.name, deploy, kinds);
}

function findAddresses(replica: Replica, ownPlace: OwnPlace): Pick<Place, "address" | "others"> {
  const reach = chooseAddress(ownPlace, replica.container);
  if (reach.kind === "no-common-network") throw targetUnreachable(replica, reach);
  const { address, others } = reach;
  return { address, others };
}

type Asked = { readonly kind: ServerKind; readonly place: Place };

// Where TLS answers it is deployed to, whatever it says.
async function whyOff({ clock, handshakeMs: ms, tools }: SourceParts, { kind, place }: Asked, signal: AbortSignal) {
  if (kind.whyOff === undefined) return undefined;
  const { address, port } = place;
  const handshake = await shakeHands({ address, port, isProxied: false, serverName: undefined, clock, ms }, signal);
  return handshake.kind === "refused" ? kind.whyOff(place, tools, signal) : undefined;
}

// What ends at its start as it has no certificate yet would never get one.
function mayBeFilled({ container }: Replica, kind: TargetKind): boolean {
  return kind.tlsPort === undefined && ["created", "exited", "restarting"].includes(container.status);
}

function isRunning({ container }: Replica): boolean {
  return container.status === "running";
}

function notRunning(service: string, replicas: readonly Replica[]) {
  const states = replicas.map(({ container }) => container.status);
  const stuck = (["restarting", "paused"] as const).find((state) => states.includes(state));
  const words = replicas.map(({ name, container }) => `${name} is ${describeState(container)}`);
  return targetNotRunning(service, words, { stuck });
}

function describeState({ status, exitCode }: Container): string {
  if (status === "created") return "created, but has never started";
  if (status !== "exited" && status !== "restarting") return status;
  return `${status === "exited" ? "stopped" : status} (exit code ${exitCode})`;
}
