import { identifierKey, type Identifier, type KeyType } from "../certificate/index.ts";
import type { LineageSettings } from "../reconcile/index.ts";
import type { RenewalConf } from "./renewal-conf.ts";
import { KINDS, type TreePaths } from "./tree-paths.ts";

const PARAMS = "renewalparams";
const WEBROOT_MAP = "renewalparams/webroot_map";

// What certbot takes where its conf is silent.
const CERTBOT_SERVER = "https://acme-v02.api.letsencrypt.org/directory";
const CERTBOT_WEBROOT = "/var/www/html";
const CERTBOT_RSA_BITS = "2048";
const CERTBOT_CURVE = "secp256r1";

// certbot warns about confs of a later version than its own: the first version that writes what we write.
const CONF_VERSION = "5.0.0";

const CURVES: Readonly<Record<string, KeyType>> = { secp256r1: "ecdsa-p256", secp384r1: "ecdsa-p384" };
const RSA_BITS: Readonly<Record<string, KeyType>> = { "2048": "rsa-2048", "3072": "rsa-3072", "4096": "rsa-4096" };

/** How a conf says that its lineage is renewed. Throws an Error when it has no `[renewalparams]`, as certbot refuses it. */
export function readSettings(conf: RenewalConf): LineageSettings {
  if (!conf.hasSection(PARAMS)) throw new Error("has no [renewalparams]");
  const unsupported = readUnsupported(conf);
  return {
    directoryUrl: text(conf, PARAMS, "server") ?? CERTBOT_SERVER,
    accountId: text(conf, PARAMS, "account"),
    keyType: readKeyType(conf),
    webrootPath: readWebroot(conf),
    profile: readProfile(conf),
    preferredChain: text(conf, PARAMS, "preferred_chain"),
    reuseKey: /^(?:true|yes|on|1)$/i.test(text(conf, PARAMS, "reuse_key") ?? ""),
    autorenew: !/^(?:false|no|off|0)$/i.test(text(conf, PARAMS, "autorenew") ?? ""),
    ...(unsupported.length === 0 ? {} : { unsupported }),
  };
}

// certbot writes "None" and "False" for what nobody asked for.
const UNSUPPORTED = ["pre_hook", "post_hook", "renew_hook", "deploy_hook", "must_staple"];

function readUnsupported(conf: RenewalConf): string[] {
  const authenticator = text(conf, PARAMS, "authenticator") ?? "webroot";
  const asked = UNSUPPORTED.flatMap((key) => {
    const value = text(conf, PARAMS, key) ?? "None";
    return /^(?:none|false|)$/i.test(value) ? [] : [`${key} = ${value}`];
  });
  return authenticator === "webroot" ? asked : [`authenticator = ${authenticator}`, ...asked];
}

/** What a conf must say of a new version. */
export type ConfFacts = {
  readonly lineage: string;
  readonly identifiers: readonly Identifier[];
  readonly settings: LineageSettings;
  readonly accountId: string;
};

/** Makes a conf, empty or certbot's own, say how the lineage is renewed from now on; what already says so is left alone. */
export function writeSettings(conf: RenewalConf, paths: TreePaths, facts: ConfFacts): void {
  const { lineage, settings, accountId } = facts;
  if (conf.get("", "version") === undefined) conf.set("", "version", CONF_VERSION);
  conf.set("", "archive_dir", paths.archiveOf(lineage));
  for (const kind of KINDS) conf.set("", kind, `${paths.liveOf(lineage)}/${kind}.pem`);
  const isNew = !conf.hasSection(PARAMS);
  conf.addSection(PARAMS, "Options used in the renewal process");
  conf.set(PARAMS, "account", accountId);
  conf.set(PARAMS, "authenticator", "webroot");
  const isOtherWebroot = isNew || readWebroot(conf) !== settings.webrootPath;
  if (isOtherWebroot) conf.set(PARAMS, "webroot_path", [settings.webrootPath]);
  conf.set(PARAMS, "server", settings.directoryUrl);
  if (isNew || readKeyType(conf) !== settings.keyType) writeKeyType(conf, settings.keyType);
  writeWishes(conf, settings);
  writeWebrootMap(conf, facts, isOtherWebroot);
}

/** Another name for an account at the CA whose directory `isAt` knows. */
export type AccountRename = {
  readonly previousId: string;
  readonly accountId: string;
  readonly isAt: (directoryUrl: string) => boolean;
};

/** Makes a conf that names the account `previousId` name the other one. Whether it did. Throws an Error as {@link readSettings}. */
export function renameAccount(conf: RenewalConf, { previousId, accountId, isAt }: AccountRename): boolean {
  const known = readSettings(conf);
  if (known.accountId !== previousId || !isAt(known.directoryUrl)) return false;
  conf.set(PARAMS, "account", accountId);
  return true;
}

// certbot takes the required profile where both are there.
function readProfile(conf: RenewalConf): LineageSettings["profile"] {
  const required = text(conf, PARAMS, "required_profile");
  if (required !== undefined) return { name: required, isRequired: true };
  const preferred = text(conf, PARAMS, "preferred_profile");
  return preferred === undefined ? undefined : { name: preferred, isRequired: false };
}

// As certbot: what nobody ever asked for has no line.
function writeWishes(conf: RenewalConf, { autorenew, reuseKey, profile, preferredChain }: LineageSettings): void {
  const known = readSettings(conf);
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

// An operator may have given names webroots of their own; they are kept until the lineage's webroot changes.
function writeWebrootMap(conf: RenewalConf, { identifiers, settings }: ConfFacts, isOtherWebroot: boolean): void {
  const names = identifiers.map(identifierKey);
  conf.remove(WEBROOT_MAP, (name) => !names.includes(name));
  conf.addSection(WEBROOT_MAP);
  for (const name of names) {
    if (isOtherWebroot || conf.get(WEBROOT_MAP, name) === undefined) conf.set(WEBROOT_MAP, name, settings.webrootPath);
  }
}

// A conf without `key_type` is from before certbot 2, which made RSA keys.
function readKeyType(conf: RenewalConf): KeyType {
  if (text(conf, PARAMS, "key_type")?.toLowerCase() === "ecdsa") {
    return CURVES[text(conf, PARAMS, "elliptic_curve")?.toLowerCase() ?? CERTBOT_CURVE] ?? "ecdsa-p256";
  }
  return RSA_BITS[text(conf, PARAMS, "rsa_key_size") ?? CERTBOT_RSA_BITS] ?? "rsa-4096";
}

function writeKeyType(conf: RenewalConf, keyType: KeyType): void {
  const [curve] = Object.entries(CURVES).find(([, type]) => type === keyType) ?? [];
  const [bits] = Object.entries(RSA_BITS).find(([, type]) => type === keyType) ?? [];
  conf.set(PARAMS, "key_type", curve ? "ecdsa" : "rsa");
  put(conf, "elliptic_curve", curve);
  put(conf, "rsa_key_size", bits);
}

function readWebroot(conf: RenewalConf): string {
  const [first] = [conf.get(PARAMS, "webroot_path") ?? []].flat();
  const [name] = conf.keys(WEBROOT_MAP);
  return first ?? (name === undefined ? undefined : text(conf, WEBROOT_MAP, name)) ?? CERTBOT_WEBROOT;
}

function text(conf: RenewalConf, section: string, key: string): string | undefined {
  const value = conf.get(section, key);
  // certbot writes "None" for an option that is off.
  const one = typeof value === "string" ? value : value?.[0];
  return one === "None" || one === "" ? undefined : one;
}
