/** The prefix of the problem types that RFC 8555 §6.7 registers. */
export const ACME_ERROR = "urn:ietf:params:acme:error:";

/** A CA's error document (RFC 8555 §6.7, RFC 9457), kept whole. */
export type Problem = {
  /** A URI, mostly {@link ACME_ERROR} and a name; `about:blank` when the CA gave none. */
  readonly type: string;
  /** The CA's own words; empty when it gave none. */
  readonly detail: string;
  /** Where a person reads on, as in `userActionRequired` (RFC 8555 §7.3.3). */
  readonly instance?: string | undefined;
  /** What is wrong with single identifiers (RFC 8555 §6.7.1). */
  readonly subproblems: readonly Subproblem[];
};

/** The part of a {@link Problem} that concerns one identifier. */
export type Subproblem = { readonly type: string; readonly detail: string; readonly identifier?: string | undefined };

/** Reads a problem document; undefined when `data` is none. */
export function readProblem(data: unknown): Problem | undefined {
  if (!isRecord(data) || (typeof data["type"] !== "string" && typeof data["detail"] !== "string")) return undefined;
  const subproblems = Array.isArray(data["subproblems"]) ? data["subproblems"].filter(isRecord) : [];
  return {
    ...readWords(data),
    instance: textOf(data["instance"]),
    subproblems: subproblems.map((subproblem) => ({
      ...readWords(subproblem),
      identifier: isRecord(subproblem["identifier"]) ? textOf(subproblem["identifier"]["value"]) : undefined,
    })),
  };
}

/** Whether it is a problem document of ACME's (RFC 8555 §6.7), whatever status it came with. */
export function isAcmeProblem(data: unknown): boolean {
  return readProblem(data)?.type.startsWith(ACME_ERROR) ?? false;
}

function readWords({ type, detail }: Record<string, unknown>) {
  return { type: textOf(type) ?? "about:blank", detail: textOf(detail) ?? "" };
}

// The longest honest texts are about a kilobyte; what is told here ends in logs and in files.
const LONGEST_WORDS = 4000;

/** The CA's words in one line: the detail, then that of each subproblem with its identifier; the type where it gave none. */
export function problemWords(problem: Problem): string {
  const parts = problem.subproblems.map(({ identifier, detail, type }) =>
    identifier === undefined ? detail || type : `${identifier}: ${detail || type}`,
  );
  return oneLine([problem.detail || problem.type, ...parts].join("; "));
}

/** Foreign text for a message: one line, nothing that moves a terminal's cursor, at most 4000 characters. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length > LONGEST_WORDS ? `${line.slice(0, LONGEST_WORDS)}…` : line;
}

/** A problem's type without {@link ACME_ERROR}; the whole URI where it is not one of ACME's. */
export function problemName({ type }: { readonly type: string }): string {
  return type.startsWith(ACME_ERROR) ? type.slice(ACME_ERROR.length) : type;
}

/** Whether `value` is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
