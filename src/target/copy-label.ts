import type { Labels } from "./docker/container.ts";
import { labelInvalid } from "./errors.ts";
import type { CopiedFile, Copy, TargetKind } from "./kind.ts";
import { COPY, wantsOne } from "./labels.ts";

const ALLOWED =
  "an absolute path for key and chain in one file, or two with a colon between, CHAIN:KEY, and behind a blank owner=UID:GID or mode=0600, 0400, 0640 or 0440; or, for PKCS #12, a path that ends in .p12 or .pfx, and then always password=… too";

// Where a certificate's own name stands; and what may stand in a path, so that no program takes it for something else.
const NAME = "{name}";
const PART = /^[\w@+.-]+$/;
const OWNER = /^owner=(\d{1,6}):(\d{1,6})$/;
const MODE = /^mode=(0[46][04]0)$/;
// What is no ASCII has as many forms as readers.
const PASSWORD = /^password=([!-~]{1,128})$/;
const PKCS12 = /\.(p12|pfx)$/i;

// What is not files.
const KERNELS = /^\/(proc|sys|dev)\//;

/**
 * What the label says is to be put into a container; undefined without it. Throws TARGET_LABEL_INVALID, also where the kind reads
 * our files itself, and where several certificates would have one path.
 */
export function readCopy(target: string, labels: Labels, kind: TargetKind): Copy | undefined {
  const value = labels[COPY];
  if (value === undefined) return undefined;
  const wrong = (allowed: string, remedy?: string) =>
    labelInvalid(target, { label: COPY, value: withoutPassword(value), allowed, ...(remedy && { remedy }) });
  if (kind.tlsPort !== undefined)
    throw wrong(
      `for ${kind.name}, which reads /etc/letsencrypt`,
      `Set the label cert-sidecar.deploy, too: to exec:…, restart or signal:…; or remove ${COPY}.`,
    );
  const copy = parseCopy(value);
  if (copy === undefined) throw wrong(ALLOWED);
  if (!copy.files.every(({ path }) => path.includes(NAME)) && !wantsOne(target, labels))
    throw wrong(
      "enough where several certificates would have one path",
      `Name the one that it is to have in the label cert-sidecar.certificates, or write ${NAME} into the path, which becomes the certificate's name.`,
    );
  return copy;
}

function parseCopy(value: string): Copy | undefined {
  const [paths = "", ...words] = value.trim().split(/\s+/);
  const matched = [OWNER, MODE, PASSWORD].map((known) => words.map((word) => known.exec(word)).find(Boolean));
  const [owner, mode, password] = matched;
  const files = readFiles(paths.split(":"), password?.[1]);
  if (files === undefined || words.length !== matched.filter(Boolean).length) return undefined;
  const [uid, gid] = [Number(owner?.[1] ?? 0), Number(owner?.[2] ?? 0)];
  return { files, uid, gid, mode: Number.parseInt(mode?.[1] ?? "0600", 8) };
}

function readFiles(paths: readonly string[], password: string | undefined): readonly CopiedFile[] | undefined {
  const [first = "", second, ...more] = paths;
  if (more.length > 0 || first === second || !paths.every(isSound)) return undefined;
  const isPkcs12 = paths.some((path) => PKCS12.test(path));
  if (isPkcs12 !== (password !== undefined)) return undefined;
  if (password !== undefined) return second === undefined ? [{ path: first, holds: "pkcs12", password }] : undefined;
  if (second === undefined) return [{ path: first, holds: "both" }];
  return [
    { path: first, holds: "chain" },
    { path: second, holds: "key" },
  ];
}

function isSound(path: string): boolean {
  const [root, ...parts] = path.split("/");
  if (root !== "" || parts.length === 0 || KERNELS.test(path)) return false;
  return parts.every((part) => PART.test(part.replaceAll(NAME, "name")) && part !== "." && part !== "..");
}

// Whatever may be meant as one: what is logged goes further than the label does.
function withoutPassword(value: string): string {
  return value.replaceAll(/(\s)(?!owner=|mode=)([^\s=]*)=\S+/g, "$1$2=[redacted]");
}
