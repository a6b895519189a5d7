import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { docker } from "./docker-command.ts";
import { poll } from "./poll.ts";

const run = promisify(execFile);

/** How an engine of our own begins. */
export type OwnEngineOptions = {
  /** The folder with its programs (`scripts/provision --only engines`); without one it is the machine's own dockerd. */
  readonly programs?: string;
  /** Images of the machine's engine that it shall have. */
  readonly images: readonly string[];
};

/** How it is started. */
export type EngineStart = {
  /** Whether containers go on while it is down (`live-restore`), now and when it ends next (default: it ends them, as engines do). */
  readonly keepsContainers?: boolean;
};

/**
 * A Docker engine beside the machine's, that a test may restart and kill. From its start to its `dispose` this process's docker
 * commands and the stacks that it makes are meant for it: it is what DOCKER_HOST and DOCKER_SOCKET name. One at a time, in a network namespace
 * of its own, where this process has to be, too: `scripts/test --long engines`.
 */
export class OwnEngine {
  readonly folder: string;
  readonly #options: OwnEngineOptions;
  #speech: Disposable | undefined;
  #process: ChildProcess | undefined;
  #keepsContainers = false;

  constructor(folder: string, options: OwnEngineOptions) {
    this.folder = folder;
    this.#options = options;
  }

  get #namespace(): string {
    return basename(this.folder);
  }

  get socketPath(): string {
    return join(this.folder, "docker.sock");
  }

  /** Starts it, again after `kill` or `stop`; it answers then. What is left out is as it was at its last start. */
  async start({ keepsContainers = this.#keepsContainers }: EngineStart = {}): Promise<void> {
    this.#keepsContainers = keepsContainers;
    const { programs } = this.#options;
    // What a killed one leaves there says that its containerd still runs.
    await removeBelow(join(this.folder, "exec/containerd"), /\.pid$|\.sock/);
    const log = openSync(join(this.folder, "dockerd.log"), "a");
    const env = {
      ...process.env,
      PATH: programs === undefined ? process.env["PATH"] : `${programs}:${process.env["PATH"]}`,
    };
    const started = spawn("dockerd", this.#flags(), {
      stdio: ["ignore", log, log],
      env,
      detached: true,
    });
    closeSync(log);
    this.#process = started;
    started.on("error", () => undefined);
    const answers = () => docker("-H", `unix://${this.socketPath}`, "version").then(Boolean, () => false);
    await poll("the engine of our own answers", async () => {
      if (started.exitCode !== null || started.pid === undefined) throw new Error(await this.#complaint());
      return answers();
    });
  }

  /** Ends it as `systemctl stop docker` does, and starts it again. */
  async restart(how: EngineStart = {}): Promise<void> {
    await this.stop();
    await this.start(how);
  }

  /** Ends it as `systemctl stop docker` does, with its containers unless it keeps them. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends it with no chance to do anything. Its containers go on until it is started again, and with `keepsContainers` then, too. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Takes it away with all that it has. */
  async dispose(): Promise<void> {
    // Named at each call: until it has started, DOCKER_HOST means the machine's.
    const its = (...args: readonly string[]) => docker("-H", `unix://${this.socketPath}`, ...args);
    try {
      if (!this.#process) await this.start();
      const ids = (await its("ps", "-aq")).split("\n").filter(Boolean);
      if (ids.length > 0) await its("rm", "-fv", ...ids);
      await its("network", "prune", "-f");
    } finally {
      await this.stop();
      await endLeftovers(this.folder);
      this.#speech?.[Symbol.dispose]();
      await unmountBelow(this.folder);
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  /** Gives it images of the machine's engine, and makes it the one that this process speaks to. */
  async take(): Promise<void> {
    if (this.#options.images.length > 0)
      await run("sh", [
        "-c",
        'engine=$1; shift; docker save "$@" | docker -H "$engine" load',
        "sh",
        `unix://${this.socketPath}`,
        ...this.#options.images,
      ]);
    this.#speech = speakTo(this.socketPath);
  }

  #flags(): string[] {
    const at = (name: string) => join(this.folder, name);
    const values = {
      host: `unix://${this.socketPath}`,
      pidfile: at("pid"),
      "config-file": at("daemon.json"),
      "data-root": at("data"),
      "exec-root": at("exec"),
      // A machine with a containerd of its own has dockerd use that one.
      "containerd-namespace": this.#namespace,
      "containerd-plugins-namespace": `${this.#namespace}-plugins`,
      "live-restore": String(this.#keepsContainers),
    };
    return Object.entries(values).map(([flag, value]) => `--${flag}=${value}`);
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    if (ending?.pid === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill(signal);
    await exited;
  }

  async #complaint(): Promise<string> {
    const log = await readFile(join(this.folder, "dockerd.log"), "utf8").catch(() => "");
    const last = log.trim().split("\n").slice(-5).join("\n");
    return `no second Docker engine can be started here; it takes root and dockerd on Linux:\n${last}`;
  }
}

/** Starts an engine of our own. Whoever starts it disposes of it. */
export async function startOwnEngine(options: OwnEngineOptions): Promise<OwnEngine> {
  refuseBesideMachines();
  // Short: the paths of sockets below it have at most 107 bytes.
  const folder = await mkdtemp(join(tmpdir(), "cs-engine-"));
  const engine = new OwnEngine(folder, options);
  try {
    // Without one it reads the machine's.
    await writeFile(join(folder, "daemon.json"), "{}");
    await engine.start();
    await engine.take();
  } catch (error) {
    await engine.dispose().catch(() => undefined);
    throw error;
  }
  return engine;
}

/**
 * At its start an engine flushes the firewall's rules of another one, and takes docker0 from it: all in its network namespace. One
 * that has just been made leads nowhere. Throws in any other.
 */
export function refuseBesideMachines(): void {
  const ways = Object.entries(networkInterfaces()).filter(([, addresses = []]) =>
    addresses.some(({ internal }) => !internal),
  );
  if (ways.length === 0) return;
  const names = ways.map(([name]) => name).join(", ");
  throw new Error(
    `a second Docker engine would take the machine's network away (${names}): run scripts/test --long engines, which gives the tests one of their own`,
  );
}

/** Has this process's docker commands, and the stacks that it makes, mean the engine at a socket, until that is disposed of. */
export function speakTo(socketPath: string): Disposable {
  const { DOCKER_HOST, DOCKER_SOCKET } = process.env;
  Object.assign(process.env, { DOCKER_HOST: `unix://${socketPath}`, DOCKER_SOCKET: socketPath });
  return {
    [Symbol.dispose]: () => {
      for (const [name, value] of Object.entries({ DOCKER_HOST, DOCKER_SOCKET }))
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    },
  };
}

/** Ends what an engine has left, by its folder's name: nobody else's command has it. First what they started, a container's process. */
export async function endLeftovers(folder: string): Promise<void> {
  const { stdout } = await run("ps", ["-eo", "pid=,ppid=,args="]);
  const processes = stdout.split("\n").map((line) => line.trim().split(/\s+/));
  const left = processes.filter((words) => words.join(" ").includes(basename(folder))).map(([pid]) => pid);
  const ends = [...processes.filter(([, parent]) => left.includes(parent)).map(([pid]) => pid), ...left];
  for (const pid of ends) await run("kill", ["-KILL", String(pid)]).catch(() => undefined);
}

async function removeBelow(folder: string, pattern: RegExp): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.filter((name) => pattern.test(name)).map((name) => rm(join(folder, name), { force: true })));
}

/** Takes away what engines leave mounted below a folder. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" ")[4] ?? "");
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).toReversed())
    await run("umount", ["-l", mount]);
}
