import { IncomingMessage } from "node:http";
import type Dockerode from "dockerode";
import type { Clock, DockerEngine } from "../../ports/index.ts";
import { readContainer, type Container, type Labels } from "./container.ts";
import { withDeadline } from "./deadline.ts";
import { connectOptions, describeEngineAddress, isSocketReplaced } from "./engine-address.ts";
import {
  DockerRequestError,
  dockerSocketReplaced,
  dockerUnreachable,
  toEngineError,
  type EngineRequest,
} from "./engine-errors.ts";
import { commandWords, execTimedOut, runInContainer, type ExecResult } from "./exec.ts";
import { readJsonLines } from "./json-lines.ts";
import { readTarFile } from "./tar.ts";

/** How long the engine may take, in milliseconds. */
export type EngineTimeouts = {
  /** One request, until its answer is complete. */
  readonly callMs: number;
  /** One command in a container, from its start to its exit code. */
  readonly execMs: number;
};

/** Something that happened to a container. */
export type ContainerEvent = Pick<Container, "id" | "labels">;

/**
 * The Docker engine, as far as we use it. Every call opens its own connection, is bounded in time, and throws an
 * OperatorError (DOCKER_UNREACHABLE, DOCKER_SOCKET_REPLACED, DOCKER_DENIED, DOCKER_REQUEST_FAILED, DOCKER_HOST_UNUSABLE) or the signal's reason.
 * Parallel calls are safe.
 */
export type Engine = {
  /** Socket path or URL, for people. */
  readonly endpoint: string;
  /** Containers with all these labels (`key=value`), running or not. */
  list(labels: readonly string[], signal: AbortSignal): Promise<readonly Pick<Container, "id" | "labels">[]>;
  /** One container by id or name; undefined when there is none. */
  inspect(id: string, signal: AbortSignal): Promise<Container | undefined>;
  /** The labels that an image gives its containers. */
  imageLabels(imageId: string, signal: AbortSignal): Promise<Labels>;
  /**
   * Runs a command in a container to its end, see {@link ExecResult}. Throws DockerRequestError with status 404 or 409 where
   * there is no such running container, and TARGET_COMMAND_TIMED_OUT.
   */
  exec(where: ExecPlace, argv: readonly string[], signal: AbortSignal): Promise<ExecResult>;
  /** Sends a signal, named as `HUP`, to a container's first process. The time that this takes is the engine's alone. */
  kill(container: ContainerName, name: string, signal: AbortSignal): Promise<void>;
  /** Stops a container, by force after {@link GRACE_S}, and starts it. Whether it ran before makes no difference. */
  restart(container: ContainerName, signal: AbortSignal): Promise<void>;
  /** Unpacks an archive into a folder of a container, running or not, as root; no file takes a folder's place. It says so, too, where a tmpfs hides what it has unpacked. */
  unpack(container: ContainerName, archive: Archive, signal: AbortSignal): Promise<void>;
  /** What a file of a container has in it, running or not; undefined when it is none, or longer than {@link LONGEST_FILE}. */
  readFile(container: ContainerName, path: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** Opens a stream of events; it must be disposed of. */
  openEvents(filter: EventFilter, signal: AbortSignal): Promise<EventStream>;
};

/** A container, and its name for people. */
export type ContainerName = Pick<Container, "id" | "name">;

/** Where a command is run, and as whom, like `0`; by default as whom the container's own is. */
export type ExecPlace = ContainerName & { readonly user?: string | undefined };

/** A tar archive, and where it belongs. */
export type Archive = { readonly folder: string; readonly tar: Buffer };

/** Events as they happen. `events` ends where the connection is ended, and throws DockerRequestError when it breaks or `signal` aborts. */
export type EventStream = Disposable & { readonly events: AsyncIterable<ContainerEvent> };

/** Which container events to hear of: these actions, of containers with all these labels (`key=value`). */
export type EventFilter = { readonly actions: readonly string[]; readonly labels: readonly string[] };

/** What an engine client is made of. */
export type EngineParts = { readonly docker: DockerEngine; readonly clock: Clock; readonly timeouts: EngineTimeouts };

// What the engine itself gives a container that it is told to stop.
const GRACE_S = 10;

// A key and a chain are some thousand; what is meant to be read here is no more than that.
const LONGEST_FILE = 256 * 1024;

/** Makes a client. Nothing is read or connected before the first call, so it can't fail. */
export function createEngine({ docker: address, clock, timeouts }: EngineParts): Engine {
  const endpoint = describeEngineAddress(address);

  const call: EngineCall = async (doing, signal, work, limit = {}) => {
    const request = { endpoint, doing };
    const ms = limit.ms ?? timeouts.callMs;
    const expired = limit.expired ?? (() => dockerUnreachable(request, `no answer within ${ms / 1000} s`));
    try {
      return await withDeadline({ clock, signal, ms, expired }, async (own) => work(await connect(address), own));
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toEngineError(request, thrown);
      const isReplaced = error.code === "DOCKER_UNREACHABLE" && (await isSocketReplaced(address));
      throw isReplaced ? dockerSocketReplaced(request, thrown) : error;
    }
  };

  return {
    endpoint,
    list: (labels, signal) =>
      call("list containers", signal, async (docker, abortSignal) => {
        const listed = await docker.listContainers({ all: true, filters: { label: [...labels] }, abortSignal });
        return listed.map(({ Id, Labels }) => ({ id: Id, labels: Labels ?? {} }));
      }),
    inspect: (id, signal) =>
      unlessMissing(
        call(`inspect container ${id.slice(0, 12)}`, signal, async (docker, abortSignal) =>
          readContainer(await docker.getContainer(id).inspect({ abortSignal })),
        ),
      ),
    imageLabels: (imageId, signal) =>
      call(`inspect image ${imageId}`, signal, async (docker) => {
        const { Config } = await docker.getImage(imageId).inspect();
        return Config?.Labels ?? {};
      }),
    exec: ({ id, name, user }, argv, signal) => {
      const expired = () => execTimedOut(name, argv, timeouts.execMs);
      const run = (docker: Dockerode, own: AbortSignal) =>
        runInContainer({ docker, clock, containerId: id, user, argv }, own);
      return call(`run "${commandWords(argv)}" in ${name}`, signal, run, { ms: timeouts.execMs, expired });
    },
    ...actsOn(call, timeouts),
    openEvents: (filter, signal) => openEvents({ endpoint, call }, filter, signal),
  };
}

// What is done to one container, and to its files.
function actsOn(
  call: EngineCall,
  { callMs }: EngineTimeouts,
): Pick<Engine, "kill" | "restart" | "unpack" | "readFile"> {
  return {
    kill: ({ id, name }, which, signal) =>
      call(`send the signal ${which} to ${name}`, signal, async (docker, abortSignal) => {
        await docker.getContainer(id).kill({ signal: which, abortSignal });
      }),
    restart: ({ id, name }, signal) => {
      const restart = async (docker: Dockerode, abortSignal: AbortSignal) => {
        await docker.getContainer(id).restart({ t: GRACE_S, abortSignal });
      };
      return call(`restart ${name}`, signal, restart, { ms: callMs + GRACE_S * 1000 });
    },
    unpack: ({ id, name }, { folder, tar }, signal) =>
      call(`put files into ${folder} of ${name}`, signal, async (docker, abortSignal) => {
        // Left alone, the engine removes a folder, with all in it, where a file is to be.
        const noOverwriteDirNonDir = "true";
        await docker.getContainer(id).putArchive(tar, { path: folder, noOverwriteDirNonDir, abortSignal });
      }),
    readFile: async ({ id, name }, path, signal) => {
      const read = async (docker: Dockerode, abortSignal: AbortSignal) => {
        const stream = await docker.getContainer(id).getArchive({ path, abortSignal });
        return readTarFile(stream, LONGEST_FILE);
      };
      return unlessMissing(call(`read ${path} in ${name}`, signal, read));
    },
  };
}

async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (thrown) {
    if (thrown instanceof DockerRequestError && thrown.status === 404) return undefined;
    throw thrown;
  }
}

// Loaded at the first use: it is the largest part of the daemon's memory. A client is made for each request, so that a
// renewed client certificate is read and a corrected mount is found.
async function connect(address: DockerEngine): Promise<Dockerode> {
  const options = await connectOptions(address);
  const { default: Docker } = await import("dockerode");
  return new Docker(options);
}

const FOLLOW_EVENTS = "follow the events of containers";

type EngineCall = <T>(
  doing: string,
  signal: AbortSignal,
  work: (docker: Dockerode, signal: AbortSignal) => Promise<T>,
  limit?: { readonly ms?: number; readonly expired?: () => Error },
) => Promise<T>;

type Wire = { readonly endpoint: string; readonly call: EngineCall };

async function openEvents({ endpoint, call }: Wire, filter: EventFilter, signal: AbortSignal): Promise<EventStream> {
  const filters = { type: ["container" as const], event: [...filter.actions], label: [...filter.labels] };
  // The stream outlives the call that opens it, so it has a life of its own.
  const life = new AbortController();
  const onAbort = () => life.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const close = () => {
    signal.removeEventListener("abort", onAbort);
    life.abort();
  };
  try {
    const open = (docker: Dockerode) => docker.getEvents({ filters, abortSignal: life.signal });
    const stream: unknown = await call(FOLLOW_EVENTS, signal, open);
    if (!(stream instanceof IncomingMessage)) throw new TypeError("the event stream is no HTTP response");
    // A remote engine that vanishes without a word would leave us listening for ever.
    stream.socket.setKeepAlive(true, 30_000);
    stream.on("error", () => {}); // the reader hears of it; before it reads, nobody does
    return { events: readEvents(stream, { endpoint, doing: FOLLOW_EVENTS }), [Symbol.dispose]: close };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

async function* readEvents(stream: IncomingMessage, request: EngineRequest): AsyncGenerator<ContainerEvent> {
  try {
    for await (const value of readJsonLines(stream)) {
      const event = readEvent(value);
      if (event) yield event;
    }
  } catch (thrown) {
    throw toEngineError(request, thrown);
  }
}

// {"Type":"container","Action":"start","Actor":{"ID":"…","Attributes":{labels and more}}}
function readEvent(value: unknown): ContainerEvent | undefined {
  const { Actor } = (value ?? {}) as { Actor?: { ID?: string; Attributes?: Labels } };
  return Actor?.ID === undefined ? undefined : { id: Actor.ID, labels: Actor.Attributes ?? {} };
}
