import { randomBytes } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker } from "./docker-command.ts";
import { IMAGES } from "./images.ts";
import { overwrite } from "./overwrite.ts";
import type { TestCertificate } from "./test-ca.ts";

/** A compose project made by hand: a network, and containers that carry compose's labels. */
export type HandMadeProject = {
  readonly name: string;
  readonly network: string;
  /** Starts (or only creates) a container as compose would. Gives its id. */
  start(options?: ContainerOptions): Promise<string>;
  /** Replaces the files that nginx reads, by rename: its configuration, `leaf.pem` and `leaf.key`. */
  write(files: { readonly conf?: string; readonly certificate?: TestCertificate }): Promise<void>;
  /** Writes `leaf.pem` and `leaf.key` as {@link overwrite} does. */
  overwrite(certificate: TestCertificate): Promise<void>;
  /** Removes all containers of the project, its networks and its folder. */
  remove(): Promise<void>;
};

/** What is unusual about a container. */
export type ContainerOptions = {
  readonly service?: string;
  readonly number?: number;
  readonly isOneOff?: boolean;
  readonly isOnlyCreated?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly image?: string;
  readonly network?: string;
  /** Instead of nginx. */
  readonly argv?: readonly [string, ...string[]];
  /** More arguments for `docker run`. */
  readonly more?: readonly string[];
};

/** Where the pair is that nginx serves, for {@link nginxConf}. */
const LEAF = { certificate: "/etc/nginx/leaf.pem", key: "/etc/nginx/leaf.key" };

/** Listens on 80 and 443 with a pair, by default `leaf.pem`, `leaf.key`; `http` is put into the http block. */
export function nginxConf(http = "", pair = LEAF): string {
  return `
    error_log stderr;
    events {}
    http {
      access_log off;
      server { listen 80; return 200 "front door"; }
      server {
        listen 443 ssl;
        ssl_certificate ${pair.certificate};
        ssl_certificate_key ${pair.key};
        return 200 "secure";
      }
      ${http}
    }`;
}

/** Makes a project with a random name; nothing of it runs yet. */
export async function createHandMadeProject(certificate: TestCertificate): Promise<HandMadeProject> {
  const name = `test-deploy-${randomBytes(4).toString("hex")}`;
  const network = `${name}_default`;
  const folder = await mkdtemp(join(tmpdir(), `${name}-`));
  await docker("network", "create", "--label", `com.docker.compose.project=${name}`, network);
  const project: HandMadeProject = {
    name,
    network,
    start: (options = {}) => startContainer({ name, network, folder, options }),
    write: async (files) => {
      if (files.conf !== undefined) await replace(join(folder, "nginx.conf"), files.conf);
      if (files.certificate === undefined) return;
      await replace(join(folder, "leaf.pem"), files.certificate.certificatePem);
      await replace(join(folder, "leaf.key"), files.certificate.keyPem);
    },
    overwrite: async ({ certificatePem, keyPem }) => {
      await overwrite(join(folder, "leaf.pem"), certificatePem);
      await overwrite(join(folder, "leaf.key"), keyPem);
    },
    remove: async () => {
      const label = `label=com.docker.compose.project=${name}`;
      const ids = (await docker("ps", "-aq", "--filter", label)).split("\n").filter(Boolean);
      if (ids.length > 0) await docker("rm", "-f", "-v", ...ids);
      const networks = (await docker("network", "ls", "-q", "--filter", label)).split("\n").filter(Boolean);
      if (networks.length > 0) await docker("network", "rm", ...networks);
      await rm(folder, { recursive: true, force: true });
    },
  };
  await project.write({ conf: nginxConf(), certificate });
  return project;
}

/** As {@link createHandMadeProject}, for as long as it is used. */
export async function withHandMadeProject<T>(
  certificate: TestCertificate,
  use: (project: HandMadeProject) => Promise<T>,
): Promise<T> {
  const project = await createHandMadeProject(certificate);
  try {
    return await use(project);
  } finally {
    await project.remove();
  }
}

// Written in place within a second, nginx would take the old one for the new one.
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

type Start = {
  readonly name: string;
  readonly network: string;
  readonly folder: string;
  readonly options: ContainerOptions;
};

async function startContainer({ name, network, folder, options }: Start): Promise<string> {
  const service = options.service ?? "nginx";
  const number = options.number ?? 1;
  const labels = {
    "com.docker.compose.project": name,
    "com.docker.compose.service": service,
    "com.docker.compose.container-number": String(number),
    "com.docker.compose.oneoff": options.isOneOff ? "True" : "False",
    ...options.labels,
  };
  const [entrypoint, ...argv] = options.argv ?? ["nginx", "-g", "daemon off;"];
  const replica = `${name}-${service}-${options.isOneOff ? "run-" : ""}${number}`;
  const image = [options.image ?? IMAGES.nginx, ...argv];
  return docker(
    ...(options.isOnlyCreated ? ["create"] : ["run", "-d"]),
    "--name",
    replica,
    "--network",
    options.network ?? network,
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...Object.entries(options.env ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
    "--volume",
    `${folder}:/etc/nginx:ro`,
    ...(options.more ?? []),
    "--entrypoint",
    entrypoint,
    ...image,
  );
}
