import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { createCertificateAuthority } from "../acme/index.ts";
import { challengeConfs, CHALLENGES, createSolvers } from "../challenge/index.ts";
import {
  ConfigError,
  isPublicCa,
  isStaging,
  MISSING_DOMAIN,
  parseConfig,
  digestSettings,
  stagingOf,
} from "../settings/index.ts";
import type { Config, ConfigSources } from "../settings/index.ts";
import { CHANNELS } from "../notify/index.ts";
import type { Log, Tools } from "../ports/index.ts";
import { createDeployment, type Deployment, type EngineLine } from "../target/index.ts";
import { createSocketHealing, type SocketHealing } from "./socket-healing.ts";
import type { Paths } from "./paths.ts";
import type { Policy, ReconcileParts } from "../reconcile/index.ts";
import { createAccountStore, createLineageStore, createNotebooks, createReloadRequest } from "../store/index.ts";
import { createHttp, findHost, lookUpCaa, lookUpHost, lookUpTxt, runLocal, systemClock } from "../system/index.ts";

/** All that an operator can choose by a word. */
export const KINDS = { challenges: CHALLENGES, channels: CHANNELS };

const SERVED_WITHIN_MS = 10_000;
// Our nginx looks every other second, and shows to itself after ten what it has refused before; others are asked by a file.
const WATCHED_WITHIN_MS = 30_000;

/** Everything that acts, built from what is right in the settings. */
export type Program = {
  readonly config: Config;
  readonly tools: Tools;
  /** Whether one may act is known to whoever holds the lock. */
  readonly parts: Omit<ReconcileParts, "mayAct">;
  readonly deployment: Deployment;
  readonly healing: SocketHealing;
  readonly paths: Paths;
  /** A number in [0, 1) that is this installation's own and stays: the moments of different ones are spread by it. */
  readonly draw: number;
};

/** What {@link buildProgram} needs besides the settings. */
export type Surroundings = {
  readonly paths: Paths;
  readonly log: Log;
  readonly version: string;
};

/** Reads all settings, and the files they name. */
export function readSettings(sources: ConfigSources): Config {
  return parseConfig(sources, KINDS);
}

// `--no-verify-ssl` is for the CA alone: what holds a token of an operator's goes to whom it belongs, or nowhere.
function reachOut(config: Config, { paths, log, version }: Surroundings) {
  const userAgent = `cert-sidecar/${version} (+https://github.com/cert-sidecar/cert-sidecar)`;
  const options = { caBundlePem: config.caBundle?.pem, userAgent, proxyEnvironment: config.proxies };
  const [http, caHttp] = [createHttp(options), createHttp({ ...options, verifyTls: config.verifyTls })];
  const notebook = createNotebooks({ root: paths.tree, log });
  const tools: Tools = { clock: systemClock, log, random: Math.random, http, run: runLocal, txt: lookUpTxt, notebook };
  return { tools, caHttp };
}

/** Builds everything that acts. Nothing is connected or written yet. */
export function buildProgram(config: Config, surroundings: Surroundings): Program {
  const { paths, log } = surroundings;
  const { tools, caHttp: http } = reachOut(config, surroundings);
  const { clock, random } = tools;
  const healing = createSocketHealing(tools);
  const onLine = (line: EngineLine) => void healing.hear(line);
  const askForReload = createReloadRequest({ root: paths.tree });
  const { services, ways } = sortWays(config.deploy);
  const withoutEngine = ways && { ways, lookUp: lookUpHost, findHost, askForReload };
  const common = { clock, log, random, onLine, services, withoutEngine };
  const deployment = createDeployment({ docker: config.docker, service: "nginx", ...common });
  const solverFor = createSolvers(CHALLENGES, { ...tools, front: deployment.front });
  const accounts = createAccountStore({ root: paths.tree });
  const ca = createCertificateAuthority({ accounts, solverFor, clock, http, lookUpCaa });
  const parts = {
    ca,
    store: createLineageStore({ root: paths.tree, log, challenges: challengeConfs(CHALLENGES, config.challenges) }),
    targets: deployment.targets,
    storage: deployment.storageOf(paths.tree),
    clock,
    random,
    policy: toPolicy(config),
    servedWithinMs: withoutEngine ? WATCHED_WITHIN_MS : SERVED_WITHIN_MS,
  };
  const ownText = config.wanted.map(({ name }) => name).join(" ") || hostname();
  const draw = createHash("sha256").update(ownText).digest().readUInt32BE() / 2 ** 32;
  return { config, tools, parts, deployment, healing, paths, draw };
}

function sortWays(all: Config["deploy"] = []) {
  const services = all.filter((way) => way.kind === "service");
  const ways = all.filter((way) => way.kind !== "service");
  return { services: services.length > 0 ? services : undefined, ways: ways.length > 0 ? ways : undefined };
}

function toPolicy(config: Config): Policy {
  const reveal = (account: Config["externalAccount"]) =>
    account && { keyId: account.keyId, hmacKey: account.hmacKey.reveal() };
  const externalAccount = reveal(config.externalAccount);
  const fallbackExternalAccount = reveal(config.fallbackExternalAccount);
  const isRehearsalOnly = config.options.dryRun;
  const settingsDigest = digestSettings(config);
  const settingsProblem = problemOf(config);
  const ofCas = { externalAccount, fallbackExternalAccount, isStaging, isPublicCa, stagingOf };
  return { ...config, ...ofCas, isRehearsalOnly, settingsDigest, settingsProblem };
}

/** All that is wrong with the settings, if anything is. */
export function problemOf({ mistakes }: Config): ConfigError | undefined {
  return mistakes.length > 0 ? new ConfigError(mistakes) : undefined;
}

/** Why nothing can be done at all: no certificate is there to go on with, and none can be ordered. Throws OperatorError. */
export async function findRefusal({ config, parts }: Program): Promise<ConfigError | undefined> {
  if (config.wanted.length > 0 && !config.areOrdersInDoubt) return undefined;
  // A pair without a conf is there for whoever names it.
  const isNamed = (name: string) => config.wanted.some((one) => one.name === name);
  const isAsked = (await parts.store.list()).some(
    ({ name, settings, problem }) => settings ?? problem ?? isNamed(name),
  );
  if (isAsked) return undefined;
  return problemOf(config) ?? new ConfigError([MISSING_DOMAIN]);
}
