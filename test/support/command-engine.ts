import { Readable } from "node:stream";
import { readContainer } from "../../src/target/docker/container.ts";
import type { Engine } from "../../src/target/docker/engine.ts";
import type { ExecResult } from "../../src/target/docker/exec.ts";
import { readTarFile } from "../../src/target/docker/tar.ts";
import { inspectedContainer } from "./fake-engine.ts";

export const ENDPOINT = "/var/run/docker.sock";

/** What a test says of commands and containers. */
export type EngineStage = {
  /** How the commands end, by a word of theirs; all others succeed. */
  readonly ends?: Readonly<Record<string, Partial<ExecResult> | Error>>;
  /** The containers of the service, running unless it is said otherwise. */
  readonly containers?: readonly ReturnType<typeof inspectedContainer>[];
  /** Docker's word for all of them by the time that they are looked at again. */
  readonly laterStatus?: string;
  /** What their image gives them. */
  readonly imageLabels?: Readonly<Record<string, string>>;
};

/** An engine that runs commands as a test says; `files` is what was put into its containers, a character a byte. */
export function engineWith({
  ends = {},
  containers = [inspectedContainer({ id: "a" })],
  laterStatus,
  imageLabels = {},
}: EngineStage) {
  const ran: string[] = [];
  const files = new Map<string, string>();
  const read = containers.map(readContainer);
  const unused = () => Promise.reject(new Error("not asked for here"));
  const engine: Engine = {
    endpoint: ENDPOINT,
    list: async () => read,
    inspect: async (id) => {
      const found = read.find((one) => one.id === id);
      return found && laterStatus ? { ...found, status: laterStatus } : found;
    },
    imageLabels: async () => imageLabels,
    exec: async (_, argv) => {
      const word = wordOf(argv);
      ran.push(word);
      const end = ends[word] ?? {};
      if (end instanceof Error) throw end;
      const [program, , from = "", to = ""] = argv;
      if (program === "mv" && !end.exitCode) move(files, from, to);
      return { exitCode: 0, stdout: "", stderr: "", ...end };
    },
    kill: async (_, name) => void ran.push(`kill ${name}`),
    restart: async () => void ran.push("restart"),
    unpack: async (_, { folder, tar }) => {
      ran.push(`unpack ${folder}`);
      const end = ends[folder];
      if (end instanceof Error) throw end;
      const name = tar.toString("latin1", 0, tar.indexOf(0));
      files.set(folder + name, (await readTarFile(Readable.from([tar]), tar.length))?.toString("latin1") ?? "");
    },
    readFile: async (_, path) => (files.has(path) ? Buffer.from(files.get(path) ?? "", "latin1") : undefined),
    openEvents: unused,
  };
  return { engine, ran, files, container: read[0] ?? readContainer(inspectedContainer({ id: "none" })) };
}

function move(files: Map<string, string>, from: string, to: string): void {
  files.set(to, files.get(from) ?? "");
  files.delete(from);
}

function wordOf(argv: readonly string[]): string {
  const last = argv.at(-1) ?? "";
  if (!argv.includes("-c")) return last;
  const [, , script = "", word] = argv;
  if (script.includes("nginx -T || exit")) return word === "reload" ? "test reload" : "test";
  if (script.includes("certificate-step.sh")) return "step";
  return script.includes("sidecar/https") ? "https" : "says";
}
