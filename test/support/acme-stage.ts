import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, beforeEach } from "vitest";
import { type CertificateAuthorityParts, createCertificateAuthority } from "../../src/acme/index.ts";
import { type Identifier, OperatorError } from "../../src/certificate/index.ts";
import { createWebrootSolvers } from "../../src/challenge/index.ts";
import type { ChallengeSolver } from "../../src/ports/index.ts";
import type { AccountStore, CertificateAuthority, IssuedCertificate, IssueRequest } from "../../src/reconcile/index.ts";
import { createAccountStore } from "../../src/store/index.ts";
import { systemClock } from "../../src/system/index.ts";
import { type CollectedLine, collectLog } from "./collected-log.ts";
import { networkOf } from "./network.ts";
import { type Pebble, type PebbleOptions, startPebble } from "./pebble.ts";
import { type ProxiedCa, startProxiedCa } from "./proxied-ca.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { serveWebroot } from "./webroot-server.ts";
import { byWebroot } from "./challenges.ts";

/** One sidecar's way to the CA, with a tree of its own. */
export type AcmeSidecar = {
  readonly accounts: AccountStore;
  readonly authority: CertificateAuthority;
  readonly lines: readonly CollectedLine[];
  /** Names of the events so far. */
  readonly events: () => string[];
  readonly issue: (request: IssueRequest, signal?: AbortSignal) => Promise<IssuedCertificate>;
};

/** A CA seen through a counting proxy, and a web server where it finds proofs. Its parts are there while tests run. */
export type AcmeStage = {
  /** The folder that the web server serves. */
  readonly webroot: string;
  readonly pebble: Pebble;
  readonly ca: ProxiedCa;
  /** Makes a sidecar; what `wrap` gives takes the place of its solver's methods. */
  sidecar(wrap?: (solver: ChallengeSolver) => Partial<ChallengeSolver>): Promise<AcmeSidecar>;
  /** A request for a certificate with an ECDSA key and a kept account. */
  request(identifiers: readonly Identifier[], more?: Partial<IssueRequest>): IssueRequest;
};

/**
 * Sets the stage for all tests of a file: Pebble refuses 15 % of nonces and finds every valid authorization again, unless
 * `options` say otherwise.
 */
export function acmeStage(options: Omit<PebbleOptions, "httpPort"> = {}): AcmeStage {
  let parts: StageParts | undefined;
  beforeAll(async () => {
    const webroot = await mkdtemp(join(tmpdir(), "webroot-"));
    const web = await serveWebroot(webroot);
    const pebble = await startPebble({ httpPort: web.port, authorizationReusePercent: 100, ...options });
    const ca = await startProxiedCa(pebble.directoryUrl, pebble.caPem);
    parts = { webroot, webUrl: `http://127.0.0.1:${web.port}`, pebble, ca };
    return async () => {
      await ca.stop();
      await pebble.stop();
      await web.close();
      await rm(webroot, { recursive: true, force: true });
    };
  });
  beforeEach(() => parts?.ca.forget());
  const set = () => {
    if (parts === undefined) throw new Error("the stage is set in beforeAll");
    return parts;
  };
  return {
    get webroot() {
      return set().webroot;
    },
    get pebble() {
      return set().pebble;
    },
    get ca() {
      return set().ca;
    },
    sidecar: (wrap) => makeSidecar(set(), wrap),
    request: (identifiers, more) => ({
      lineage: identifiers[0]?.value ?? "",
      identifiers,
      keyType: "ecdsa-p256",
      directoryUrl: set().ca.directoryUrl,
      challenges: byWebroot(set().webroot),
      account: "stored",
      ...more,
    }),
  };
}

type StageParts = Pick<AcmeStage, "webroot" | "pebble" | "ca"> & { readonly webUrl: string };

/** What a sidecar is made from. */
export type SidecarParts = {
  /** Trusts the CA that this root signs. */
  readonly ca: Pick<ProxiedCa, "caPem">;
  /** The web server in which the solver looks for its own proofs. */
  readonly webUrl: string;
  /** What a test wants otherwise. */
  readonly authority?: Partial<CertificateAuthorityParts>;
};

/** Makes a sidecar with a tree of its own; what `wrap` gives takes the place of its solver's methods. */
export async function makeSidecar(
  { ca, webUrl, authority: changed }: SidecarParts,
  wrap: (solver: ChallengeSolver) => Partial<ChallengeSolver> = () => ({}),
): Promise<AcmeSidecar> {
  const accounts = createAccountStore({ root: await temporaryFolder() });
  const front = { httpUrl: async () => webUrl };
  const solvers = createWebrootSolvers({ front, clock: systemClock, selfCheckTimeoutMs: 2000 });
  const log = collectLog();
  const authority = createCertificateAuthority({
    accounts,
    solverFor: ([use]) => {
      const webroot = solvers.with(String(use?.settings));
      return { ...webroot, ...wrap(webroot) };
    },
    clock: systemClock,
    ...networkOf(ca.caPem),
    ...changed,
  });
  return {
    accounts,
    authority,
    lines: log.lines,
    events: () => log.lines.map(({ event }) => event),
    issue: (request, signal = new AbortController().signal) => authority.issue(request, log, signal),
  };
}

let serial = 0;

/** A name that no other test of the file has proven. */
export function freshName(): string {
  serial += 1;
  return `name-${serial}.test`;
}

/** DNS identifiers of names. */
export function dns(...names: readonly string[]): Identifier[] {
  return names.map((value) => ({ type: "dns", value }));
}

/** The operator's error that an issue ends with. */
export async function failureOf(issue: Promise<unknown>): Promise<OperatorError> {
  const thrown = await issue.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof OperatorError) return thrown;
  throw new Error("no OperatorError was thrown", { cause: thrown });
}
