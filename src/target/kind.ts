import type { Identifier } from "../certificate/index.ts";
import type { Clock, Log } from "../ports/index.ts";
import type { Found, ServedCertificate, ServedFinding, Target } from "../reconcile/index.ts";
import type { Container } from "./docker/container.ts";
import type { Archive } from "./docker/engine.ts";
import type { ExecResult } from "./docker/exec.ts";
import type { NginxServer } from "./nginx-configuration.ts";
import type { StartTls } from "./tls/starttls.ts";

/** A running container that was found. */
export type Spot = {
  /** Unique and stable over restarts: `nginx-1`. */
  readonly name: string;
  /** Its compose service, for people. */
  readonly service: string;
  readonly container: Container;
  /** Whether a lineage is for it. */
  readonly wants: (lineage: string) => boolean;
  /** Those that its label names, if it does. */
  readonly named?: readonly string[] | undefined;
};

/** One that speaks TLS, and how to reach it. */
export type Place = Spot & {
  readonly address: string;
  /** Further addresses at which it can be reached, as of IPv6. */
  readonly others?: readonly string[];
  /** Where it speaks TLS. */
  readonly port: number;
  /** The protocol that it speaks before, where its label says so. */
  readonly startTls?: StartTls | undefined;
};

/** One of which we know no more than what its labels say; it need not run, where something is put into it. */
export type ToldSpot = Spot & {
  /** Set where its label says on which port it speaks TLS. */
  readonly place?: Place | undefined;
  /** What is put into it, where its label says so. */
  readonly copy?: Copy | undefined;
};

/** The files that are put into a container. */
export type Copy = {
  readonly files: readonly CopiedFile[];
  /** Their owner and mode in the container. */
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
};

/** One of them: an absolute path, in which `{name}` is the certificate's name, and what is in it; `both`: the key, then the chain. */
export type CopiedFile = { readonly path: string } & (
  { readonly holds: "both" | "chain" | "key" } | { readonly holds: "pkcs12"; readonly password: string }
);

/** Why a server has no HTTPS. */
export type Off = Omit<Found["off"][number], "name">;

/** A way to make a server use our certificates: one file, one line in `TARGET_KINDS`, one word of the label. */
export type TargetKind = ServerKind | ToldKind;

type KindWord = {
  /** The word of the label `cert-sidecar.deploy`. */
  readonly name: string;
  /** What must stand behind it and a colon, for people, like `HUP`; left out where nothing may. */
  readonly argument?: string;
};

/** A server that we know: where it speaks TLS, above all, by which it is judged. */
export interface ServerKind extends KindWord {
  /** Where it speaks TLS when no label says so. */
  tlsPort(container: Container): number;
  /** Where it answers HTTP; left out where it can't show the CA our challenges. */
  httpPort?(container: Container): number;
  /** Why it has no HTTPS, when nothing listens where it should; undefined where it should have. Throws only the signal's reason. */
  whyOff?(place: Place, tools: TargetTools, signal: AbortSignal): Promise<Off | undefined>;
  /** Makes the target; it is good for as long as the container runs. */
  make(place: Place, argument: string, tools: TargetTools): Target;
}

/** Anything else, which is told that there is something new. */
export interface ToldKind extends KindWord {
  readonly tlsPort?: undefined;
  readonly httpPort?: undefined;
  /** As {@link ServerKind.make}. */
  make(spot: ToldSpot, argument: string, tools: TargetTools): Target;
}

/** Servers of one start of a container, and when it said so, in milliseconds. */
export type KeptServers = { readonly start: string; readonly servers: readonly NginxServer[]; readonly at: number };

/** What a kind may use. */
export type TargetTools = {
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** The servers of each nginx, by its name, as it said them last: they outlive a search. */
  readonly kept: Map<string, KeptServers>;
  /**
   * Runs a command in the container to its end. Throws TARGET_NOT_RUNNING when the container is gone or has stopped,
   * TARGET_COMMAND_KILLED when it is about to, and what the engine throws.
   */
  readonly exec: (where: Spot & As, argv: readonly string[], signal: AbortSignal) => Promise<ExecResult>;
  /** The container as it is now. Throws TARGET_NOT_RUNNING when it is gone or doesn't run, and what the engine throws. */
  readonly look: (spot: Spot, signal: AbortSignal) => Promise<Container>;
  /** The engine's calls for this container, that throw as {@link exec}; a restart starts what has stopped, too. */
  readonly kill: (spot: Spot, name: string, signal: AbortSignal) => Promise<void>;
  readonly restart: (spot: Spot, signal: AbortSignal) => Promise<void>;
  readonly unpack: (spot: Spot, archive: Archive, signal: AbortSignal) => Promise<void>;
  readonly readFile: (spot: Spot, path: string, signal: AbortSignal) => Promise<Buffer | undefined>;
  /** Checks by a handshake for each name what it presents; `words` say what to do there. Throws only the signal's reason. */
  readonly tlsCheck: (place: Place, asked: TlsQuestion, signal: AbortSignal) => Promise<ServedFinding>;
};

/** One way in to a server that speaks TLS. */
export type Listener = {
  readonly address: string;
  readonly port: number;
  /** It waits for a PROXY header before the handshake. */
  readonly isProxied: boolean;
};

/** As whom a command runs, like `0`; by default as whom the container's own does. */
export type As = { readonly user?: string };

/** What a TLS check is to find out. */
export type TlsQuestion = {
  readonly certificate: ServedCertificate;
  readonly words: ServerWords;
  /** Where to ask for a name; left out: where the place says, and nowhere else. */
  readonly listenersOf?: (identifier: Identifier) => readonly Listener[];
};

/** What a kind of server has to say of itself: what to do where it serves something else, by what is seen. */
export type ServerWords = {
  readonly nothingListens: string;
  readonly noCertificate: string;
  /** Where nobody answers in time, and where there is no way; left out where it is a container of a network of ours. */
  readonly silent?: string;
  readonly unreachable?: string;
  /** What it knows of why a handshake for a name fails there: the message's end and the remedy. */
  explainFailure?(
    certificate: ServedCertificate,
    failed: { readonly identifier: Identifier; readonly listener: Listener; readonly words: string },
  ): { readonly because: string; readonly remedy: string } | undefined;
  /** For an IP address, whose clients name no server, it presents another server's. */
  readonly isDefault: string;
  /** What more it knows of why it presents another one: the message's end and the remedy, or that it goes on with an older text. */
  explain(
    certificate: ServedCertificate,
  ): { readonly because: string; readonly remedy: string } | { readonly isKept: true } | undefined;
};
