import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { createCertificateAuthority } from "../acme/index.ts";
import { OperatorError, wordsOf } from "../certificate/index.ts";
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
import { createDeployment, type Deployment } from "../target/index.ts";
import type { Paths } from "./paths.ts";
import type { Policy, ReconcileParts } from "../reconcile/index.ts";
import { createAccountStore, createLineageStore, createNotebooks } from "../store/index.ts";
import { createHttp, lookUpCaa, lookUpTxt, runLocal, systemClock } from "../system/index.ts";

/** All that an operator can choose by a word. */
export const KINDS = { challenges: CHALLENGES, channels: CHANNELS };

const SERVED_WITHIN_MS = 10_000;

/** Everything that acts, built from good settings. */
export type Program = {
  readonly config: Config;
  readonly tools: Tools;
  /** Whether one may act is known to whoever holds the lock. */
  readonly parts: Omit<ReconcileParts, "mayAct">;
  readonly deployment: Deployment;
  readonly paths: Paths;
  /** A number in [0, 1) that is this installation's own and stays: the moments of different ones are spread by it. */
  readonly draw: number;
};

/** The settings, read; or why they can't be used. */
export type Reading = { readonly config: Config } | { readonly refusal: ConfigError };

/** What {@link buildProgram} needs besides the settings. */
export type Surroundings = {
  readonly paths: Paths;
  readonly log: Log;
  readonly version: string;
  /** For `HTTPS_PROXY` and `NO_PROXY`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** Reads all settings, and the files they name. Never throws for a mistake of the operator's. */
export function readSettings(sources: ConfigSources): Reading {
  try {
    const config = parseConfig(sources, KINDS);
    if (config.caBundlePath !== undefined) checkReadable("CERTBOT_CA_BUNDLE", config.caBundlePath);
    return { config };
  } catch (thrown) {
    if (thrown instanceof ConfigError) return { refusal: thrown };
    throw thrown;
  }
}

function checkReadable(setting: string, path: string): void {
  try {
    readFileSync(path);
  } catch (thrown) {
    const problem = `can't be read in this container: ${wordsOf(thrown)}`;
    throw new ConfigError([{ setting, value: path, problem, allowed: "the path of a PEM file in a mounted folder" }]);
  }
}

// `--no-verify-ssl` is for the CA alone: what holds a token of an operator's goes to whom it belongs, or nowhere.
function reachOut(config: Config, { paths, log, version, environment }: Surroundings) {
  const caBundlePem = config.caBundlePath === undefined ? undefined : readFileSync(config.caBundlePath, "utf8");
  const userAgent = `cert-sidecar/${version} (+https://github.com/cert-sidecar/cert-sidecar)`;
  const options = { caBundlePem, userAgent, proxyEnvironment: environment };
  const [http, caHttp] = [createHttp(options), createHttp({ ...options, verifyTls: config.verifyTls })];
  const notebook = createNotebooks({ root: paths.tree, log });
  const tools: Tools = { clock: systemClock, log, random: Math.random, http, run: runLocal, txt: lookUpTxt, notebook };
  return { tools, caHttp };
}

function build(config: Config, surroundings: Surroundings): Program {
  const { paths, log } = surroundings;
  const { tools, caHttp: http } = reachOut(config, surroundings);
  const { clock, random } = tools;
  const deployment = createDeployment({ docker: config.docker, service: "nginx", clock, log, random });
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
    servedWithinMs: SERVED_WITHIN_MS,
  };
  const ownText = config.wanted.map(({ name }) => name).join(" ") || hostname();
  const draw = createHash("sha256").update(ownText).digest().readUInt32BE() / 2 ** 32;
  return { config, tools, parts, deployment, paths, draw };
}

/** Builds everything that acts; or gives why it can't be built from these settings. Nothing is connected or written yet. */
export function buildProgram(config: Config, surroundings: Surroundings): Program | OperatorError {
  try {
    return build(config, surroundings);
  } catch (thrown) {
    if (thrown instanceof OperatorError) return thrown;
    throw thrown;
  }
}

function toPolicy(config: Config): Policy {
  const { keyId, hmacKey } = config.externalAccount ?? {};
  const externalAccount = keyId !== undefined && hmacKey ? { keyId, hmacKey: hmacKey.reveal() } : undefined;
  const isRehearsalOnly = config.options.dryRun;
  const settingsDigest = digestSettings(config);
  return { ...config, externalAccount, isStaging, isPublicCa, stagingOf, isRehearsalOnly, settingsDigest };
}

/** The refusal for settings that name no certificate where the tree holds none either. Throws OperatorError. */
export async function missingDomain({ config, parts }: Program): Promise<ConfigError | undefined> {
  if (config.wanted.length > 0) return undefined;
  return (await parts.store.list()).length > 0 ? undefined : new ConfigError([MISSING_DOMAIN]);
}
