import { createHandMadeProject, type HandMadeProject } from "../../support/compose-nginx.ts";
import { deployOnce } from "../../support/deploy-once.ts";
import { docker } from "../../support/docker-command.ts";
import { newVersion } from "../../support/lineage-tree.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";
import { openTestStore } from "../../support/test-store.ts";
import { SIDECAR_IMAGE, until } from "./stack.ts";

// What goes on at HUP, ends at its stop signal, and crashes at USR1.
const server = (stop = "SIGTERM") =>
  `trap 'echo told' HUP; trap 'exit 0' ${stop.replace("SIG", "")}; trap 'exit 3' USR1; echo ready; while :; do sleep 600 & wait $!; done`;

/** How a container ends and is started again; `stop` is its stop signal, where it has one. */
export type Manner = { readonly stop: string | undefined; readonly policy: string };

/** Every manner that there is. */
export const MANNERS: readonly Manner[] = [undefined, "SIGQUIT", "SIGHUP"].flatMap((stop) =>
  ["always", "unless-stopped", "on-failure", "no"].map((policy) => ({ stop, policy })),
);

/** Two containers of one manner, of which one is sent a signal, and what we say of that. */
export class SignalledPair {
  readonly manner: Manner;
  /** Whether we send it. */
  readonly isAllowed: boolean;
  readonly #project: HandMadeProject;
  readonly #ids: readonly [sent: string, untold: string];

  constructor(manner: Manner, isAllowed: boolean, project: HandMadeProject, ids: readonly [string, string]) {
    this.manner = manner;
    this.isAllowed = isAllowed;
    this.#project = project;
    this.#ids = ids;
  }

  /** Whether each is running, the one that has been sent the signal after that. */
  async afterSignal(): Promise<readonly boolean[]> {
    const [sent, untold] = this.#ids;
    const told = until("the signal has come", async () => {
      if ((await docker("logs", sent)).includes("told")) return { isUp: true };
      return (await state(sent)).endsWith("exited") ? { isUp: false } : undefined;
    });
    return [(await told).isUp, await settled(untold, /running$/)];
  }

  /** Has those that run crash; gives whether each is running after that. */
  async afterCrash(): Promise<readonly boolean[]> {
    for (const id of this.#ids)
      if ((await state(id)).endsWith("running")) await docker("exec", "-d", id, "sh", "-c", "kill -USR1 1");
    return Promise.all(this.#ids.map((id) => settled(id, /^1 running|^0 exited/)));
  }

  /** Whether each is running after the engine has been restarted. */
  async afterRestart(): Promise<readonly boolean[]> {
    return Promise.all(this.#ids.map((id) => settled(id, /running$|exited$/)));
  }

  remove(): Promise<void> {
    return this.#project.remove();
  }
}

const state = (id: string) => docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", id);

async function settled(id: string, states: RegExp): Promise<boolean> {
  const { isUp } = await until("Docker has come to an end with it", async () => {
    const now = await state(id);
    return states.test(now) ? { isUp: now.endsWith("running") } : undefined;
  });
  return isUp;
}

/** Starts a pair, asks the product to send HUP, and sends it where it refuses. */
export async function signalledPair(manner: Manner): Promise<SignalledPair> {
  // One of its own: who has been told is remembered there.
  const tree = await openTestStore();
  await tree.store.install(newVersion("a.test"), new Date());
  const project = await createHandMadeProject(await makeTestCertificate());
  const start = (service: string, labels: Readonly<Record<string, string>>) =>
    project.start({
      service,
      image: SIDECAR_IMAGE,
      argv: ["sh", "-c", server(manner.stop)],
      labels,
      more: ["--restart", manner.policy, ...(manner.stop === undefined ? [] : ["--stop-signal", manner.stop])],
    });
  const sent = await start("mail", { "cert-sidecar.deploy": "signal:HUP" });
  const untold = await start("chat", {});
  // Before it has set its traps nothing reaches the first process of a container.
  await until("both are ready", async () => {
    const logs = await Promise.all([sent, untold].map((id) => docker("logs", id)));
    return logs.every((log) => log.includes("ready")) || undefined;
  });
  const { reports, missing } = await deployOnce({ project: project.name, tree, isNew: true });
  const failure = reports[0]?.failure ?? missing;
  if (failure && failure.code !== "TARGET_SIGNAL_UNSAFE") throw new Error(failure.message);
  if (failure) await docker("kill", "-s", "HUP", sent);
  return new SignalledPair(manner, !failure, project, [sent, untold]);
}
