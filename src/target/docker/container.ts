import type { ContainerInspectInfo } from "dockerode";

/** A container, as far as we need to know it. */
export type Container = {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** Docker's word: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  readonly status: string;
  /** Of the last run; 0 while it runs. */
  readonly exitCode: number;
  readonly labels: Labels;
  readonly env: Readonly<Record<string, string>>;
  readonly imageId: string;
  /** `host`, `none`, `container:<id>`, or the name of a network. */
  readonly networkMode: string;
  readonly networks: readonly NetworkEndpoint[];
  /** The container whose network namespace it lives in: its own id, or another's with `network_mode: service:…`. */
  readonly namespaceOf: string;
  readonly mounts: readonly ContainerMount[];
  /** The signal that it is stopped by, as its image or its operator has written it; undefined where neither has. */
  readonly stopSignal: string | undefined;
  /** Docker's word: `no`, `always`, `unless-stopped` or `on-failure`. */
  readonly restartPolicy: string;
  /** Of the last run; undefined where the engine doesn't say. */
  readonly startedAt: Date | undefined;
  /** It has a health check, which has not come to a judgement yet. */
  readonly isStarting: boolean;
  /** The engine starts it again when it ends by itself. */
  readonly isRestarted: boolean;
};

/** What the engine has mounted into a container; mounts that `--tmpfs` makes are not among them. */
export type ContainerMount = {
  /** Docker's word: `bind`, `volume`, `tmpfs`, … */
  readonly kind: string;
  /** Of a volume. */
  readonly name?: string | undefined;
  /** A volume that Docker has made for this container, and that nobody has asked for by its name. */
  readonly isAnonymous: boolean;
  readonly mountPoint: string;
};

/** Labels of a container or an image. */
export type Labels = Readonly<Record<string, string>>;

/** A container's place in one network; addresses are absent while it does not run. */
export type NetworkEndpoint = {
  readonly name: string;
  readonly id: string;
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  readonly gateway4?: string | undefined;
  readonly gateway6?: string | undefined;
};

// Other engines leave some of it out.
type Loose<T> = { readonly [Key in keyof T]?: Readonly<T[Key]> | null | undefined };

/** The part of the engine's answer (`GET /containers/<id>/json`) that is read. */
export type InspectedContainer = Pick<ContainerInspectInfo, "Id" | "Name" | "Image"> & {
  readonly State: Pick<ContainerInspectInfo["State"], "Status" | "ExitCode"> &
    Loose<Pick<ContainerInspectInfo["State"], "StartedAt">> & {
      readonly Health?: { readonly Status?: string } | null | undefined;
    };
  readonly Config: Loose<Pick<ContainerInspectInfo["Config"], "Env" | "Labels">> & {
    readonly StopSignal?: string | undefined;
  };
  readonly HostConfig: Loose<Pick<ContainerInspectInfo["HostConfig"], "NetworkMode" | "Binds" | "RestartPolicy">>;
  readonly NetworkSettings: { readonly Networks?: Readonly<Record<string, InspectedEndpoint>> | null };
  readonly Mounts?: readonly InspectedMount[] | null;
};

type InspectedMount = Loose<Pick<ContainerInspectInfo["Mounts"][number], "Type" | "Name" | "Destination">>;
type InspectedEndpoint = Loose<ContainerInspectInfo["NetworkSettings"]["Networks"][string]>;

/** Reads the engine's answer. */
export function readContainer(inspected: InspectedContainer): Container {
  const networkMode = inspected.HostConfig.NetworkMode ?? "";
  const restartPolicy = inspected.HostConfig.RestartPolicy?.Name || "no";
  const startedAt = new Date(inspected.State.StartedAt ?? "");
  return {
    id: inspected.Id,
    name: inspected.Name.replace(/^\//, ""),
    status: inspected.State.Status,
    exitCode: inspected.State.ExitCode,
    labels: inspected.Config.Labels ?? {},
    env: readEnv(inspected.Config.Env ?? []),
    imageId: inspected.Image,
    networkMode,
    networks: Object.entries(inspected.NetworkSettings.Networks ?? {}).map(readEndpoint),
    namespaceOf: networkMode.startsWith("container:") ? networkMode.slice("container:".length) : inspected.Id,
    stopSignal: inspected.Config.StopSignal || undefined,
    restartPolicy,
    startedAt: Number.isNaN(startedAt.getTime()) ? undefined : startedAt,
    isStarting: inspected.State.Health?.Status === "starting",
    isRestarted: ["always", "unless-stopped"].includes(restartPolicy),
    mounts: (inspected.Mounts ?? []).map((mount) => readMount(mount, inspected.HostConfig.Binds ?? [])),
  };
}

function readMount({ Type, Name, Destination }: InspectedMount, binds: readonly string[]): ContainerMount {
  return {
    kind: Type ?? "",
    name: Name || undefined,
    isAnonymous: Type === "volume" && isDrawn(Name ?? "") && !binds.some((bind) => bind.startsWith(`${Name}:`)),
    mountPoint: Destination ?? "",
  };
}

// Docker names a volume that nobody has named by 64 hexadecimal digits. Who has found such a one may go on with it on purpose,
// by `-v <digits>:<folder>`: that is among the binds. Compose, when it hands one on to the next container, doesn't write it there.
function isDrawn(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

function readEndpoint([name, endpoint]: readonly [string, InspectedEndpoint]): NetworkEndpoint {
  return {
    name,
    id: endpoint.NetworkID || name,
    ipv4: endpoint.IPAddress || undefined,
    ipv6: endpoint.GlobalIPv6Address || undefined,
    gateway4: endpoint.Gateway || undefined,
    gateway6: endpoint.IPv6Gateway || undefined,
  };
}

function readEnv(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => [line.replace(/=.*/s, ""), line.replace(/^[^=]*=?/, "")]));
}
