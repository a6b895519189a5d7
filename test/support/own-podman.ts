import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { docker } from "./docker-command.ts";
import { endLeftovers, refuseBesideMachines, speakTo, unmountBelow } from "./own-engine.ts";
import { poll } from "./poll.ts";

const run = promisify(execFile);

/** Podman's API, as an engine that this process speaks to until its `dispose`; as an OwnEngine, in a network of its own. */
export class OwnPodman {
  readonly #folder: string;
  readonly #programs: string;
  #speech: Disposable | undefined;
  #process: ChildProcess | undefined;

  constructor(folder: string, programs: string) {
    this.#folder = folder;
    this.#programs = programs;
  }

  get #socketPath(): string {
    return join(this.#folder, "podman.sock");
  }

  /** Starts what answers its API; its containers need none. */
  async start(): Promise<void> {
    const log = openSync(join(this.#folder, "podman.log"), "a");
    const argv = ["system", "service", "--time=0", `unix://${this.#socketPath}`];
    this.#process = spawn(this.#program, argv, { stdio: ["ignore", log, log], env: this.#environment });
    closeSync(log);
    const answers = () => docker("-H", `unix://${this.#socketPath}`, "version").then(Boolean, () => false);
    await poll("podman answers", answers);
  }

  /** Ends what answers its API. */
  async kill(): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill("SIGKILL");
    await exited;
  }

  /** Writes its settings, none of which are the machine's, and gives it images of the machine's engine. */
  async prepare(images: readonly string[]): Promise<void> {
    const settings = join(this.#folder, "home/.config/containers");
    await mkdir(settings, { recursive: true });
    await copyFile(join(this.#programs, "policy.json"), join(settings, "policy.json"));
    await writeFile(join(this.#folder, "registries.conf"), "");
    await writeFile(join(this.#folder, "storage.conf"), this.#storage());
    await writeFile(join(this.#folder, "containers.conf"), this.#settings());
    const archive = join(this.#folder, "images.tar");
    await docker("save", "-o", archive, ...images);
    await run(this.#program, ["load", "-q", "-i", archive], { env: this.#environment });
    await rm(archive);
  }

  /** Makes it the one that this process speaks to. */
  speak(): void {
    this.#speech = speakTo(this.#socketPath);
  }

  /** Takes it away with all that it has. */
  async dispose(): Promise<void> {
    try {
      await run(this.#program, ["rm", "-af", "-t", "0"], { env: this.#environment });
    } finally {
      await this.kill();
      this.#speech?.[Symbol.dispose]();
      await endLeftovers(this.#folder);
      await unmountBelow(this.#folder);
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  get #program(): string {
    return join(this.#programs, "podman");
  }

  get #environment(): NodeJS.ProcessEnv {
    const at = (name: string) => join(this.#folder, name);
    return {
      PATH: `${this.#programs}:${process.env["PATH"]}`,
      LD_LIBRARY_PATH: this.#programs,
      HOME: at("home"),
      CONTAINERS_CONF: at("containers.conf"),
      CONTAINERS_STORAGE_CONF: at("storage.conf"),
      CONTAINERS_REGISTRIES_CONF: at("registries.conf"),
    };
  }

  #storage(): string {
    return `[storage]
driver = "overlay"
graphroot = "${this.#folder}/data"
runroot = "${this.#folder}/run"
`;
  }

  // Left alone, it raises limits, for which not every machine's root has the right.
  #settings(): string {
    const programs = this.#programs;
    return `[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${this.#folder}/tmp"
conmon_path = ["${programs}/conmon"]
helper_binaries_dir = ["${programs}"]
init_path = "${programs}/docker-init"
[engine.runtimes]
runc = ["${programs}/runc"]
[network]
network_backend = "netavark"
network_config_dir = "${this.#folder}/networks"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
seccomp_profile = "${programs}/seccomp.json"
`;
  }
}

/** Starts podman's API, with the programs of a folder (`scripts/provision --only engines`). Whoever starts it disposes of it. */
export async function startOwnPodman(programs: string, images: readonly string[]): Promise<OwnPodman> {
  refuseBesideMachines();
  const podman = new OwnPodman(await mkdtemp(join(tmpdir(), "cs-podman-")), programs);
  try {
    await podman.prepare(images);
    await podman.start();
    podman.speak();
  } catch (error) {
    await podman.dispose().catch(() => undefined);
    throw error;
  }
  return podman;
}
