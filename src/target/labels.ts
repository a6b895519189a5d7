import type { PlainError } from "../certificate/index.ts";
import type { Container, Labels } from "./docker/container.ts";
import type { Engine } from "./docker/engine.ts";
import { labelInvalid } from "./errors.ts";
import type { TargetKind } from "./kind.ts";
import { STARTTLS_PROTOCOLS, type StartTls } from "./tls/starttls.ts";

const PREFIX = "cert-sidecar.";
const PORT = `${PREFIX}port`;
const CERTIFICATES = `${PREFIX}certificates`;

/** The label that has a certificate put into a container. */
export const COPY = `${PREFIX}copy`;

/** The label by which an operator makes a container a target, and says of which kind. */
export const DEPLOY = `${PREFIX}deploy`;

/** Our labels of a container, without those that its image brings: no operator has written these. Throws what the engine throws. */
export async function operatorsLabels(engine: Engine, container: Container, signal: AbortSignal): Promise<Labels> {
  const ours = Object.entries(container.labels).filter(([name]) => name.startsWith(PREFIX));
  const imageLabels = ours.length === 0 ? {} : await engine.imageLabels(container.imageId, signal);
  return Object.fromEntries(ours.filter(([name, value]) => imageLabels[name] !== value));
}

const ALL = [DEPLOY, CERTIFICATES, PORT, COPY];

/** Whether there is any label of ours. */
export function hasOurs(labels: Labels): boolean {
  return Object.keys(labels).some((name) => name.startsWith(PREFIX));
}

/** What is wrong with the names of an operator's labels: one that there isn't, or any of them on what is no target. */
export function labelSlip(target: string, labels: Labels, isTarget: boolean): PlainError | undefined {
  const [label, value = ""] = Object.entries(labels).find(([name]) => !isTarget || !ALL.includes(name)) ?? [];
  if (label === undefined) return undefined;
  if (ALL.includes(label)) {
    const remedy = `Set the label ${DEPLOY}, too, or remove it.`;
    return labelInvalid(target, { label, value, allowed: `of any use without ${DEPLOY}`, remedy });
  }
  const remedy = "Correct its name, or remove it.";
  return labelInvalid(target, { label, value, allowed: `one that there is: ${ALL.join(", ")}`, remedy });
}

/** Of which kind a target is, and the kind's argument. Throws TARGET_LABEL_INVALID, which names the kinds there are. */
export function readDeploy(target: string, value: string, kinds: readonly TargetKind[]) {
  const [word = "", ...rest] = value.trim().split(":");
  const argument = rest.join(":");
  const kind = kinds.find(({ name }) => name === word);
  if (kind && (argument !== "") === (kind.argument !== undefined)) return { kind, argument };
  const allowed = kinds.map((one) => (one.argument === undefined ? one.name : `${one.name}:${one.argument}`));
  throw labelInvalid(target, { label: DEPLOY, value, allowed: allowed.join(" or ") });
}

/** Which lineages are for a target: those that its label names; all without one. Throws TARGET_LABEL_INVALID. */
export function readWants(target: string, labels: Labels) {
  const names = readNames(target, labels);
  const isAll = names.has("*");
  return { wants: (lineage: string) => isAll || names.has(lineage), named: isAll ? undefined : [...names] };
}

/** Whether a target can't have but one lineage. */
export function wantsOne(target: string, labels: Labels): boolean {
  const names = readNames(target, labels);
  return names.size === 1 && !names.has("*");
}

function readNames(target: string, { [CERTIFICATES]: value = "*" }: Labels): ReadonlySet<string> {
  const names = new Set(value.split(",").map((name) => name.trim()));
  names.delete("");
  if (names.size > 0) return names;
  const allowed = "names of certificates, separated by commas, or *";
  throw labelInvalid(target, { label: CERTIFICATES, value, allowed });
}

/** A port on which a target speaks TLS, at once or after some words of a protocol. */
export type TlsPort = { readonly port: number; readonly startTls?: StartTls | undefined };

/** The port on which a target speaks TLS inside its container, where its label says so. Throws TARGET_LABEL_INVALID. */
export function readPort(target: string, { [PORT]: value }: Labels): TlsPort | undefined {
  if (value === undefined) return undefined;
  const [number, word, ...more] = value.trim().split("/");
  const port = parsePort(number);
  const startTls = STARTTLS_PROTOCOLS.find((protocol) => protocol === word);
  if (port !== undefined && startTls === word && more.length === 0) return { port, startTls };
  const allowed = `a port from 1 to 65535, with /${STARTTLS_PROTOCOLS.join(", /")} behind it where that comes before TLS`;
  throw labelInvalid(target, { label: PORT, value, allowed });
}

/** A port as it is written; undefined when it is none. */
export function parsePort(text = ""): number | undefined {
  return /^[1-9]\d{0,4}\r?$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}
