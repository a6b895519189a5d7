import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, vi } from "vitest";
import { docker } from "./docker-command.ts";
import { probe, probeUpgrade } from "./http-probe.ts";
import type { Probe, ProbeAnswer } from "./http-probe.ts";
import { IMAGES } from "./images.ts";

const run = promisify(execFile);
/** Our nginx folder, as it is shipped. */
export const OUR_NGINX_FOLDER = new URL("../../nginx", import.meta.url).pathname;
const STEP = ["/bin/sh", "/opt/cert-sidecar/nginx/certificate-step.sh"];

/** The folders on the host that nginx sees, as compose mounts them; `remove` deletes them. */
export class HostFolders {
  readonly letsencrypt: string;
  readonly webroot: string;
  readonly ssl: string;
  readonly confD: string;
  private readonly root: string;

  private constructor(root: string) {
    this.root = root;
    this.letsencrypt = join(root, "conf");
    this.webroot = join(root, "www");
    this.ssl = join(root, "ssl");
    this.confD = join(root, "conf.d");
  }

  static async create(): Promise<HostFolders> {
    const folders = new HostFolders(await mkdtemp(join(tmpdir(), "nginx-test-")));
    for (const path of [folders.letsencrypt, folders.webroot, folders.ssl, folders.confD]) {
      await mkdir(path, { mode: 0o755 });
    }
    return folders;
  }

  /** Puts a pair where a lineage's links would lead. */
  async putPair(lineage: string, certificatePem: string, keyPem: string): Promise<void> {
    const live = join(this.letsencrypt, "live", lineage);
    await mkdir(live, { recursive: true });
    await writeFile(join(live, "fullchain.pem"), certificatePem);
    await writeFile(join(live, "privkey.pem"), keyPem, { mode: 0o600 });
  }

  /** Writes the sidecar's list of certificates. */
  async putList(text: string): Promise<void> {
    await mkdir(join(this.letsencrypt, "sidecar"), { recursive: true });
    await writeFile(join(this.letsencrypt, "sidecar", "certificates"), text);
  }

  async putChallenge(token: string, keyAuthorization: string): Promise<void> {
    const folder = join(this.webroot, ".well-known", "acme-challenge");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, token), keyAuthorization, { mode: 0o644 });
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

/** How a container differs from the one that compose starts. */
export type NginxOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** More arguments for `docker run`. */
  readonly docker?: readonly string[];
  /** Another copy of our nginx folder. */
  readonly nginxFolder?: string;
  /** Arguments for /bin/sh in place of our entrypoint's path. */
  readonly command?: readonly string[];
};

/** A container of the real nginx image with our entrypoint, as compose starts it: all mounts read-only. */
export class NginxContainer {
  readonly name = `cert-sidecar-nginx-test-${randomBytes(5).toString("hex")}`;
  private known = "";

  /** Starts it and returns when port 80 answers, within 20 s. The caller ends it with `remove`. */
  static async start(folders: HostFolders, options: NginxOptions = {}): Promise<NginxContainer> {
    const container = new NginxContainer();
    const mounts = [
      `${options.nginxFolder ?? OUR_NGINX_FOLDER}:/opt/cert-sidecar/nginx:ro`,
      `${folders.letsencrypt}:/etc/letsencrypt:ro`,
      `${folders.webroot}:/var/www/html:ro`,
      `${folders.ssl}:/etc/ssl:ro`,
    ].flatMap((mount) => ["-v", mount]);
    const env = Object.entries(options.env ?? {}).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const more = [...mounts, ...env, ...(options.docker ?? []), "--entrypoint", "/bin/sh"];
    const command = options.command ?? ["/opt/cert-sidecar/nginx/entrypoint.sh"];
    await docker("run", "-d", "--name", container.name, ...more, IMAGES.nginx, ...command);
    await container.waitUntilUp(Number(options.env?.["NGINX_PORT"] ?? 80)).catch(async (cause: unknown) => {
      const log = await container.log();
      await container.remove();
      throw new Error(`nginx did not come up:\n${log}`, { cause });
    });
    return container;
  }

  async http(path: string, options: Probe & { readonly port?: number } = {}): Promise<ProbeAnswer> {
    return await probe(`http://${await this.address()}:${options.port ?? 80}${path}`, options);
  }

  async https(path: string, options: Probe & { readonly port?: number } = {}): Promise<ProbeAnswer> {
    return await probe(`https://${await this.address()}:${options.port ?? 443}${path}`, options);
  }

  /** Asks port 80 for another protocol; gives what was switched to. */
  async upgradeProtocol(path: string, wanted: string): Promise<string> {
    return await probeUpgrade(`http://${await this.address()}:80${path}`, wanted);
  }

  /** Runs a command in it; gives the standard output. Throws when it fails. */
  async exec(...command: readonly string[]): Promise<string> {
    return await docker("exec", this.name, ...command);
  }

  /**
   * What the sidecar does after a change: the step, the test, the reload. Gives the step's lines, when the workers of
   * before are gone: one of them may take a connection even after a new one has.
   */
  async deploy(): Promise<string> {
    const lines = await this.step();
    await this.exec("nginx", "-t", "-q");
    const before = await this.workers();
    await this.exec("nginx", "-s", "reload");
    await vi.waitFor(async () => {
      const now = await this.workers();
      if (now.length === 0 || now.some((worker) => before.includes(worker)))
        throw new Error("old workers are still there");
    }, 60_000);
    return lines;
  }

  /** The certificate step alone, while these lineages are on trial. */
  async step(...onTrial: readonly string[]): Promise<string> {
    return await this.exec(...STEP, ...onTrial);
  }

  /** What the step has written down for the sidecar: whether HTTPS is `on`, or what is wrong with which pair. */
  async noted(what: "https" | "problems"): Promise<string> {
    return await this.exec("cat", `/etc/nginx/sidecar/${what}`);
  }

  /** Restarts it and returns when port 80 answers again. */
  async restart(): Promise<void> {
    this.known = "";
    await docker("restart", "-t", "5", this.name);
    await this.waitUntilUp(80);
  }

  /** Everything it has printed, on both outputs. */
  async log(): Promise<string> {
    const { stdout, stderr } = await run("docker", ["logs", this.name]);
    return stdout + stderr;
  }

  async remove(): Promise<void> {
    await docker("rm", "-f", this.name);
  }

  private async workers(): Promise<readonly string[]> {
    const listed = await this.exec("sh", "-c", "grep -sl 'nginx: worker process' /proc/[0-9]*/cmdline || true");
    return listed.split("\n").filter((line) => line !== "");
  }

  // Asked once a start: each question is a process, and tests poll.
  private async address(): Promise<string> {
    const template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    this.known ||= await docker("inspect", "-f", template, this.name);
    return this.known;
  }

  private async waitUntilUp(port: number): Promise<void> {
    await vi.waitFor(async () => await this.http("/", { port }), 60_000);
  }
}

/** What each test of a file has: folders of its own and the nginx that it starts, which are gone after it. */
export class NginxStage {
  private made: { readonly folders: HostFolders; nginx?: NginxContainer } | undefined;

  constructor() {
    beforeEach(async () => {
      this.made = { folders: await HostFolders.create() };
    });
    afterEach(async () => {
      await this.made?.nginx?.remove();
      await this.made?.folders.remove();
      this.made = undefined;
    });
  }

  get folders(): HostFolders {
    return this.having().folders;
  }

  /** The one that was started last. */
  get nginx(): NginxContainer {
    const { nginx } = this.having();
    if (nginx === undefined) throw new Error("no nginx has been started in this test");
    return nginx;
  }

  /** Starts nginx, in the place of one that this test has started before. */
  async start(options: NginxOptions = {}): Promise<NginxContainer> {
    const made = this.having();
    await made.nginx?.remove();
    delete made.nginx;
    made.nginx = await NginxContainer.start(made.folders, options);
    return made.nginx;
  }

  private having() {
    if (this.made === undefined) throw new Error("there is a stage in a test alone");
    return this.made;
  }
}
