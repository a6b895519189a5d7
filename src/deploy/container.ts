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

/** The part of the engine's answer (`GET /containers/<id>/json`) that is read; other engines leave some of it out. */
export type InspectedContainer = {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: { readonly Status: string; readonly ExitCode: number };
  readonly Config: { readonly Env?: readonly string[] | null; readonly Labels?: Labels | null };
  readonly HostConfig: { readonly NetworkMode?: string | undefined };
  readonly NetworkSettings: { readonly Networks?: Readonly<Record<string, InspectedEndpoint>> | null };
};

type InspectedEndpoint = {
  readonly NetworkID?: string;
  readonly IPAddress?: string;
  readonly GlobalIPv6Address?: string;
  readonly Gateway?: string;
  readonly IPv6Gateway?: string;
};

/** Reads the engine's answer. */
export function readContainer(inspected: InspectedContainer): Container {
  const networkMode = inspected.HostConfig.NetworkMode ?? "";
  return {
    id: inspected.Id,
    name: inspected.Name.replace(/^\//, ""),
    status: inspected.State.Status,
    exitCode: inspected.State.ExitCode,
    labels: inspected.Config.Labels ?? {},
    env: readEnv(inspected.Config.Env ?? []),
    imageId: inspected.Image,
    networkMode,
    networks: Object.entries(inspected.NetworkSettings.Networks ?? {}).map(([name, endpoint]) =>
      readEndpoint(name, endpoint),
    ),
    namespaceOf: networkMode.startsWith("container:") ? networkMode.slice("container:".length) : inspected.Id,
  };
}

function readEndpoint(name: string, endpoint: InspectedEndpoint): NetworkEndpoint {
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
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...rest] = line.split("=");
      return [name, rest.join("=")];
    }),
  );
}
