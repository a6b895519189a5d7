import type { Identifier } from "../certificate/index.ts";
import { UnexpectedAnswerError } from "./connection-errors.ts";
import { isRecord, type Problem, readProblem } from "./problem.ts";

/** Where a CA takes which request (RFC 8555 §7.1.1): the resources that we use. */
export type Directory = { readonly newNonce: string; readonly newAccount: string; readonly newOrder: string };

/** RFC 8555 §7.1.3. */
export type Order = {
  readonly status: "pending" | "ready" | "processing" | "valid" | "invalid";
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string | undefined;
  readonly error?: Problem | undefined;
};

/** RFC 8555 §7.1.4, with its own URL. A wildcard's identifier is written as it was ordered, `*.name`. */
export type Authorization = {
  readonly url: string;
  readonly identifier: Identifier;
  readonly status: "pending" | "valid" | "invalid" | "deactivated" | "expired" | "revoked";
  readonly challenges: readonly Challenge[];
};

/** RFC 8555 §7.1.5, §8. */
export type Challenge = {
  readonly type: string;
  readonly url: string;
  readonly status: "pending" | "processing" | "valid" | "invalid";
  /** Absent in challenge types that have none. */
  readonly token?: string | undefined;
  readonly error?: Problem | undefined;
};

const ORDER_STATUSES = ["pending", "ready", "processing", "valid", "invalid"] as const;
const AUTHORIZATION_STATUSES = ["pending", "valid", "invalid", "deactivated", "expired", "revoked"] as const;
const CHALLENGE_STATUSES = ["pending", "processing", "valid", "invalid"] as const;

/** Reads a directory; undefined when `data` is none, since only the caller knows how to say so. */
export function readDirectory(data: unknown): Directory | undefined {
  if (!isRecord(data)) return undefined;
  const { newNonce, newAccount, newOrder } = data;
  if (typeof newNonce !== "string" || typeof newAccount !== "string" || typeof newOrder !== "string") return undefined;
  return { newNonce, newAccount, newOrder };
}

/** Reads the order that `url` answered. Throws UnexpectedAnswerError when it is none. */
export function readOrder(url: string, data: unknown): Order {
  const read = reader(url, "an order", data);
  return {
    status: read.oneOf("status", ORDER_STATUSES),
    authorizations: read.list("authorizations").map((entry) => {
      if (typeof entry !== "string") throw read.mistake("authorizations");
      return entry;
    }),
    finalize: read.text("finalize"),
    certificate: read.optionalText("certificate"),
    error: read.problem(),
  };
}

/** Reads the authorization that `url` answered. Throws UnexpectedAnswerError when it is none. */
export function readAuthorization(url: string, data: unknown): Authorization {
  const read = reader(url, "an authorization", data);
  const identifier = reader(url, "an identifier", read.value("identifier"));
  const value = identifier.text("value");
  return {
    url,
    identifier: {
      type: identifier.oneOf("type", ["dns", "ip"]),
      // RFC 8555 §7.1.4: the base domain, and a field that says wildcard.
      value: read.value("wildcard") === true ? `*.${value}` : value,
    },
    status: read.oneOf("status", AUTHORIZATION_STATUSES),
    challenges: read.list("challenges").map((entry) => {
      const challenge = reader(url, "a challenge", entry);
      return {
        type: challenge.text("type"),
        url: challenge.text("url"),
        status: challenge.oneOf("status", CHALLENGE_STATUSES),
        token: challenge.optionalText("token"),
        error: challenge.problem(),
      };
    }),
  };
}

function reader(url: string, what: string, data: unknown) {
  const mistake = (field: string) => new UnexpectedAnswerError(url, `${what} without a usable "${field}"`);
  if (!isRecord(data)) throw new UnexpectedAnswerError(url, `${what} was expected`);
  const optionalText = (field: string) => (typeof data[field] === "string" ? data[field] : undefined);
  const text = (field: string) => {
    const found = optionalText(field);
    if (found === undefined) throw mistake(field);
    return found;
  };
  return {
    mistake,
    optionalText,
    text,
    value: (field: string) => data[field],
    problem: () => readProblem(data["error"]),
    list: (field: string): readonly unknown[] => {
      if (!Array.isArray(data[field])) throw mistake(field);
      return data[field];
    },
    oneOf: <const T extends readonly string[]>(field: string, allowed: T): T[number] => {
      const found = allowed.find((status) => status === text(field));
      if (found === undefined) throw mistake(field);
      return found;
    },
  };
}
