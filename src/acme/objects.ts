import { canonicalIp } from "../certificate/index.ts";
import { UnexpectedAnswerError } from "./failures/connection-errors.ts";
import { isRecord, readProblem } from "./failures/problem.ts";
import { readValidationRecords } from "./failures/validation-record.ts";

/** Where a CA takes which request (RFC 8555 §7.1.1): the resources that we use, and what its `meta` says of them. */
export type Directory = Readonly<NonNullable<ReturnType<typeof readDirectory>>>;

/** RFC 8555 §7.1.3, with its own URL. */
export type Order = Readonly<ReturnType<typeof readOrder>>;

/** RFC 8555 §7.1.4, with its own URL. */
export type Authorization = Readonly<ReturnType<typeof readAuthorization>>;

/** RFC 8555 §7.1.5, §8. */
export type Challenge = Readonly<ReturnType<typeof readChallenge>>;

// Far longer than any URL, token or name; what is longer would fill messages, logs and files.
const LONGEST_TEXT = 4000;

/** Reads the directory at `url`; undefined when `data` is none, since only the caller knows how to say so. */
export function readDirectory(url: string, data: unknown) {
  if (!isRecord(data)) return undefined;
  const resource = (name: string) => urlIn(data, name, url);
  const [newNonce, newAccount, newOrder] = REQUIRED.map(resource);
  if (newNonce === undefined || newAccount === undefined || newOrder === undefined) return undefined;
  const meta = isRecord(data["meta"]) ? data["meta"] : {};
  return {
    newNonce,
    newAccount,
    newOrder,
    // RFC 8555 §7.3.5. Every ACME server has it; one that lacks it can do all the rest.
    keyChange: resource("keyChange"),
    // RFC 9773 §4.1; absent where the CA has no renewal information.
    renewalInfo: resource("renewalInfo"),
    // RFC 8555 §7.3.4.
    externalAccountRequired: meta["externalAccountRequired"] === true,
    // Names of the certificate profiles on offer (draft-ietf-acme-profiles).
    profiles: isRecord(meta["profiles"]) ? Object.keys(meta["profiles"]) : [],
  };
}

/** The resources that a directory must have and `data` hasn't. */
export function missingIn(data: Record<string, unknown>): string[] {
  return REQUIRED.filter((name) => textIn(data, name) === undefined);
}

const REQUIRED = ["newNonce", "newAccount", "newOrder"];

/** Makes a URL of the CA's absolute. One that is stays as the CA wrote it: an account's is its name in all requests to come. */
export function absoluteUrl(text: string, base: string): string | undefined {
  return URL.canParse(text) ? text : URL.parse(text, base)?.href;
}

function urlIn(data: Record<string, unknown>, field: string, base: string): string | undefined {
  const found = textIn(data, field);
  return found === undefined ? undefined : absoluteUrl(found, base);
}

function textIn(data: Record<string, unknown>, field: string): string | undefined {
  const value = data[field];
  return typeof value === "string" && value.length <= LONGEST_TEXT ? value : undefined;
}

/** Reads the order that `url` answered. Throws UnexpectedAnswerError when it is none. */
export function readOrder(url: string, data: unknown) {
  const read = reader(url, "an order", data);
  return {
    url,
    status: read.oneOf("status", ["pending", "ready", "processing", "valid", "invalid"]),
    // A CA may name one that proves several names once for each.
    authorizations: [...new Set(read.urls("authorizations"))],
    finalize: read.url("finalize"),
    certificate: read.optionalUrl("certificate"),
    error: read.problem(),
    // The certificate that the CA takes this order to renew (RFC 9773 §5).
    replaces: read.optionalText("replaces"),
  };
}

/** Reads the authorization that `url` answered. Throws UnexpectedAnswerError when it is none. */
export function readAuthorization(url: string, data: unknown) {
  const read = reader(url, "an authorization", data);
  const identifier = reader(url, "an identifier", read.value("identifier"));
  const type = identifier.oneOf("type", ["dns", "ip"]);
  const text = identifier.text("value").toLowerCase();
  const value = type === "ip" ? canonicalIp(text) : text.replace(/^\*\./, "").replace(/\.$/, "");
  const isWildcard = read.value("wildcard") === true || text.startsWith("*.");
  return {
    url,
    // As it was ordered, `*.name`: RFC 8555 §7.1.4 has the base domain, and a field that says wildcard.
    identifier: { type, value: isWildcard ? `*.${value}` : value },
    status: read.oneOf("status", ["pending", "valid", "invalid", "deactivated", "expired", "revoked"]),
    challenges: read.list("challenges").map((entry) => readChallenge(url, entry)),
  };
}

function readChallenge(url: string, data: unknown) {
  const read = reader(url, "a challenge", data);
  return {
    type: read.text("type"),
    url: read.url("url"),
    status: read.oneOf("status", ["pending", "processing", "valid", "invalid"]),
    // Absent in challenge types that have none.
    token: read.optionalText("token"),
    error: read.problem(),
    // What the CA asked on its way to a decision; Boulder tells it, RFC 8555 doesn't know it.
    validationRecords: readValidationRecords(read.value("validationRecord")),
  };
}

function reader(url: string, what: string, data: unknown) {
  const mistake = (field: string) => new UnexpectedAnswerError(url, `${what} without a usable "${field}"`);
  if (!isRecord(data)) throw new UnexpectedAnswerError(url, `${what} was expected`);
  const optionalText = (field: string) => textIn(data, field);
  const optionalUrl = (field: string) => urlIn(data, field, url);
  const needed = (field: string, found: string | undefined) => {
    if (found === undefined) throw mistake(field);
    return found;
  };
  const text = (field: string) => needed(field, optionalText(field));
  const list = (field: string): readonly unknown[] => {
    if (!Array.isArray(data[field])) throw mistake(field);
    return data[field];
  };
  return {
    optionalText,
    text,
    list,
    optionalUrl,
    url: (field: string) => needed(field, optionalUrl(field)),
    urls: (field: string) => list(field).map((entry) => needed(field, urlIn({ entry }, "entry", url))),
    value: (field: string) => data[field],
    problem: () => readProblem(data["error"]),
    oneOf: <const T extends readonly string[]>(field: string, allowed: T): T[number] => {
      const found = allowed.find((word) => word === text(field).toLowerCase());
      if (found === undefined) throw mistake(field);
      return found;
    },
  };
}
