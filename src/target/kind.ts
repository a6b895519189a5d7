import type { Clock } from "../ports/index.ts";
import type { Found, ServedCertificate, ServedFinding, Target } from "../reconcile/index.ts";
import type { Container } from "./docker/container.ts";
import type { ExecResult } from "./docker/exec.ts";

/** A running container that was found, and how to reach it. */
export type Place = {
  /** Unique and stable over restarts: `nginx-1`. */
  readonly name: string;
  /** Its compose service, for people. */
  readonly service: string;
  readonly container: Container;
  readonly address: string;
  /** Where it speaks TLS. */
  readonly port: number;
  /** Whether a lineage is for it. */
  readonly wants: (lineage: string) => boolean;
};

/** Why a server has no HTTPS. */
export type Off = Omit<Found["off"][number], "name">;

/** A way to make a server use our certificates: one file, one line in `TARGET_KINDS`, one word of the label. */
export interface TargetKind {
  /** The word of the label `cert-sidecar.deploy`. */
  readonly name: string;
  /** What must stand behind it and a colon, for people, like `HUP`; left out where nothing may. */
  readonly argument?: string;
  /** Where it speaks TLS when no label says so. */
  tlsPort(container: Container): number;
  /** Where it answers HTTP; left out where it can't show the CA our challenges. */
  httpPort?(container: Container): number;
  /** Why it has no HTTPS, when nothing listens where it should; undefined where it should have. Throws only the signal's reason. */
  whyOff?(place: Place, tools: TargetTools, signal: AbortSignal): Promise<Off | undefined>;
  /** Makes the target; it is good for as long as the container runs. */
  make(place: Place, argument: string, tools: TargetTools): Target;
}

/** What a kind may use. */
export type TargetTools = {
  readonly clock: Clock;
  /**
   * Runs a command in the container to its end. Throws TARGET_NOT_RUNNING when the container is gone or has stopped,
   * TARGET_COMMAND_KILLED when it is about to, and what the engine throws.
   */
  readonly exec: (place: Place, argv: readonly string[], signal: AbortSignal) => Promise<ExecResult>;
  /** Checks by a handshake for each name what it presents; `words` say what to do there. Throws only the signal's reason. */
  readonly tlsCheck: (place: Place, asked: TlsQuestion, signal: AbortSignal) => Promise<ServedFinding>;
};

/** What a TLS check is to find out. */
export type TlsQuestion = { readonly certificate: ServedCertificate; readonly words: ServerWords };

/** What a kind of server has to say of itself: what to do where it serves something else, by what is seen. */
export type ServerWords = {
  readonly nothingListens: string;
  readonly noCertificate: string;
  /** For an IP address, whose clients name no server, it presents another server's. */
  readonly isDefault: string;
  /** What more it knows of why it presents another one: the message's end and the remedy, or that it goes on with an older text. */
  explain(
    certificate: ServedCertificate,
  ): { readonly because: string; readonly remedy: string } | { readonly isKept: true } | undefined;
};
