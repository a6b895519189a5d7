import { identifierKey, type KeyType } from "../certificate/index.ts";
import type { ChallengeConfs, IgnoredOption } from "../ports/index.ts";
import type { LineageSettings, NewVersion } from "../reconcile/index.ts";
import { writeAddedNames } from "./added-names.ts";
import { ignoredKeys, PARAMS } from "./conf-keys.ts";
import type { RenewalConf } from "./renewal-conf.ts";
import { readInterval } from "./time-interval.ts";
import { KINDS, type TreePaths } from "./tree-paths.ts";

// What certbot takes where its conf is silent.
const CERTBOT_SERVER = "https://acme-v02.api.letsencrypt.org/directory";
const CERTBOT_SERVER_V1 = "https://acme-v01.api.letsencrypt.org/directory";
const CERTBOT_RSA_BITS = "2048";
const CERTBOT_CURVE = "secp256r1";

// certbot warns about confs of a later version than its own: the first version that writes what we write.
const CONF_VERSION = "5.0.0";

const RENEW_BEFORE = "renew_before_expiry";

const CURVES: Readonly<Record<string, KeyType>> = { secp256r1: "ecdsa-p256", secp384r1: "ecdsa-p384" };
const RSA_BITS: Readonly<Record<string, KeyType>> = { "2048": "rsa-2048", "3072": "rsa-3072", "4096": "rsa-4096" };

/** How a conf says that its lineage is renewed. Throws an Error when it has no `[renewalparams]`, as certbot refuses it. */
export function readSettings(conf: RenewalConf, confs: ChallengeConfs): LineageSettings {
  const own = readOwn(conf);
  const { challenges, ignored } = confs.read(conf);
  const unsupported = [...ignored, ...ignoredValues(conf), ...ignoredKeys(conf)];
  return { ...own, challenges, ...(unsupported.length === 0 ? {} : { unsupported }) };
}

// All but how names are proven.
function readOwn(conf: RenewalConf): Omit<LineageSettings, "challenges" | "unsupported"> {
  if (!conf.hasSection(PARAMS)) throw new Error("has no [renewalparams]");
  return {
    directoryUrl: readServer(conf),
    accountId: conf.text(PARAMS, "account"),
    keyType: readKeyType(conf),
    profile: readProfile(conf),
    preferredChain: conf.text(PARAMS, "preferred_chain"),
    reuseKey: /^(?:true|yes|on|1)$/i.test(conf.text(PARAMS, "reuse_key") ?? ""),
    renewBeforeMs: readInterval(conf.text("", RENEW_BEFORE) ?? ""),
    autorenew: !/^(?:false|no|off|0)$/i.test(conf.text(PARAMS, "autorenew") ?? ""),
  };
}

// As certbot: the API that this one served has ended, and it gives the same certificates as the other.
function readServer(conf: RenewalConf): string {
  const server = conf.text(PARAMS, "server");
  return server === undefined || server === CERTBOT_SERVER_V1 ? CERTBOT_SERVER : server;
}

// Keys that are acted on, with a value that isn't.
function ignoredValues(conf: RenewalConf): IgnoredOption[] {
  const isUnread = (section: string, key: string, read: (value: string) => unknown) => {
    const value = conf.text(section, key);
    return value === undefined || read(value) !== undefined ? [] : [`${key} = ${value}`];
  };
  const keyType = readKeyType(conf);
  const ofKeys = keyType.startsWith("rsa")
    ? isUnread(PARAMS, "rsa_key_size", (bits) => RSA_BITS[bits])
    : isUnread(PARAMS, "elliptic_curve", (curve) => CURVES[curve.toLowerCase()]);
  const interval = isUnread("", RENEW_BEFORE, readInterval);
  return [
    ...ofKeys.map((option) => ({ option, because: `${keyType} is what comes next to it` })),
    ...interval.map((option) => ({ option, because: "it is no length of time like 30 days" })),
  ];
}

/** What a conf must say of a new version. */
export type ConfFacts = Omit<CheckedVersion, "issued"> & { readonly accountId?: string | undefined };

/** A version whose names have been looked at: the CA has put `addedNames` into it beside those that were ordered. */
export type CheckedVersion = NewVersion & { readonly addedNames: readonly string[] };

/** Where a tree has its files, and how its confs say by what names are proven. */
export type ConfParts = { readonly paths: TreePaths; readonly challenges: ChallengeConfs };

/** Makes a conf, empty or certbot's own, say how the lineage is renewed from now on; what already says so is left alone. */
export function writeSettings(conf: RenewalConf, { paths, challenges }: ConfParts, facts: ConfFacts): void {
  const { lineage, identifiers, settings, accountId } = facts;
  if (conf.get("", "version") === undefined) conf.set("", "version", CONF_VERSION);
  conf.set("", "archive_dir", paths.archiveOf(lineage));
  for (const kind of KINDS) conf.set("", kind, `${paths.liveOf(lineage)}/${kind}.pem`);
  writeAddedNames(conf, facts.addedNames);
  const isNew = !conf.hasSection(PARAMS);
  conf.addSection(PARAMS, "Options used in the renewal process");
  if (accountId !== undefined) conf.set(PARAMS, "account", accountId);
  challenges.write(conf, settings.challenges, { names: identifiers.map(identifierKey), isNew });
  conf.set(PARAMS, "server", settings.directoryUrl);
  if (isNew || readKeyType(conf) !== settings.keyType) writeKeyType(conf, settings.keyType);
  writeWishes(conf, settings);
}

/** Another name for an account at the CA whose directory `isAt` knows. */
export type AccountRename = {
  readonly previousId: string;
  readonly accountId: string;
  readonly isAt: (directoryUrl: string) => boolean;
};

/** Makes a conf that names the account `previousId` name the other one. Whether it did. Throws an Error as {@link readSettings}. */
export function renameAccount(conf: RenewalConf, { previousId, accountId, isAt }: AccountRename): boolean {
  const known = readOwn(conf);
  if (known.accountId !== previousId || !isAt(known.directoryUrl)) return false;
  conf.set(PARAMS, "account", accountId);
  return true;
}

// certbot takes the required profile where both are there.
function readProfile(conf: RenewalConf): LineageSettings["profile"] {
  const required = conf.text(PARAMS, "required_profile");
  if (required !== undefined) return { name: required, isRequired: true };
  const preferred = conf.text(PARAMS, "preferred_profile");
  return preferred === undefined ? undefined : { name: preferred, isRequired: false };
}

// As certbot: what nobody ever asked for has no line.
function writeWishes(conf: RenewalConf, { autorenew, reuseKey, profile, preferredChain }: LineageSettings): void {
  const known = readOwn(conf);
  const flag = (isOn: boolean) => (isOn ? "True" : "False");
  if (known.autorenew !== autorenew) conf.set(PARAMS, "autorenew", flag(autorenew));
  if (known.reuseKey !== reuseKey) conf.set(PARAMS, "reuse_key", flag(reuseKey));
  if (known.preferredChain !== preferredChain) put(conf, "preferred_chain", preferredChain);
  if (known.profile?.name === profile?.name && known.profile?.isRequired === profile?.isRequired) return;
  put(conf, "required_profile", profile?.isRequired ? profile.name : undefined);
  put(conf, "preferred_profile", profile?.isRequired === false ? profile.name : undefined);
}

function put(conf: RenewalConf, key: string, value: string | undefined): void {
  if (value === undefined) conf.remove(PARAMS, (name) => name === key);
  else conf.set(PARAMS, key, value);
}

// A conf without `key_type` is from before certbot 2, which made RSA keys.
function readKeyType(conf: RenewalConf): KeyType {
  if (conf.text(PARAMS, "key_type")?.toLowerCase() === "ecdsa") {
    return CURVES[conf.text(PARAMS, "elliptic_curve")?.toLowerCase() ?? CERTBOT_CURVE] ?? "ecdsa-p256";
  }
  return RSA_BITS[conf.text(PARAMS, "rsa_key_size") ?? CERTBOT_RSA_BITS] ?? "rsa-4096";
}

function writeKeyType(conf: RenewalConf, keyType: KeyType): void {
  const [curve] = Object.entries(CURVES).find(([, type]) => type === keyType) ?? [];
  const [bits] = Object.entries(RSA_BITS).find(([, type]) => type === keyType) ?? [];
  conf.set(PARAMS, "key_type", curve ? "ecdsa" : "rsa");
  put(conf, "elliptic_curve", curve);
  put(conf, "rsa_key_size", bits);
}
