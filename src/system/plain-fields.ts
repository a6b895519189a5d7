import type { LogFields } from "../ports/index.ts";

const REDACTED = "[redacted]";
// Far more than any field of ours; a structure that is deeper was not meant for a log line.
const MAX_DEPTH = 6;
const MAX_CAUSES = 5;
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g;
// Settings print themselves redacted (they have toJSON); these are the names under which a secret comes without that.
const SECRET_NAMES = new Set(["hmackey", "password", "privatekey", "privatekeypem", "secret"]);

/**
 * Fields as they may be printed: JSON values only, instants in ISO form, an error as `{code, message, causes}`, private
 * keys and secrets as `[redacted]`. Never throws: a value that can't be read says so.
 */
export function toPlainFields(fields: LogFields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) plain[name] = toPlain(value, name, new Set());
  return plain;
}

function toPlain(value: unknown, name: string, above: ReadonlySet<object>): unknown {
  if (SECRET_NAMES.has(name.toLowerCase()) && value !== undefined) return REDACTED;
  switch (typeof value) {
    case "string":
      return redactKeys(value);
    case "bigint":
      return value.toString();
    case "symbol":
    case "function":
      return `[${typeof value}]`;
    case "object":
      return value === null ? null : toPlainObject(value, name, above);
    case "boolean":
    case "number":
    case "undefined":
      return value;
  }
}

function toPlainObject(value: object, name: string, above: ReadonlySet<object>): unknown {
  if (above.has(value)) return "[circular]";
  if (above.size >= MAX_DEPTH) return "[too deep]";
  const here = new Set(above).add(value);
  try {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[no date]" : value.toISOString();
    if (value instanceof Error) return toPlainError(value);
    if (value instanceof Uint8Array) return `[${value.length} bytes]`;
    if (value instanceof URL) return redactKeys(value.href);
    if (value instanceof Map || value instanceof Set) return toPlain([...value], name, here);
    if (Array.isArray(value)) return value.map((item) => toPlain(item, name, here));
    if ("toJSON" in value && typeof value.toJSON === "function") return toPlain(value.toJSON(name), name, here);
    const entries = Object.entries(value).map(([key, item]) => [key, toPlain(item, key, here)] as const);
    return Object.fromEntries(entries);
  } catch {
    return "[unreadable]";
  }
}

// No stacks: an operator can't use them. The causes are the other side's words, nearest first.
function toPlainError(error: Error): object {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < MAX_CAUSES; cause = cause.cause) {
    causes.push(redactKeys(cause.message));
  }
  const code = "code" in error ? { code: String(error.code) } : { name: error.name };
  return { ...code, message: redactKeys(error.message), ...(causes.length > 0 ? { causes } : {}) };
}

function redactKeys(text: string): string {
  return text.replace(PRIVATE_KEY, REDACTED);
}
