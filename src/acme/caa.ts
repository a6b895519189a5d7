import type { Identifier, OperatorError } from "../certificate/index.ts";
import type { CaaLookup, CaaRecord } from "../ports/index.ts";
import { oneLine, type Problem, problemName } from "./failures/problem.ts";
import { ChallengeFailedError, ProblemError } from "./failures/problem-errors.ts";

const TIMEOUT_MS = 5000;
const MOST_NAMES = 5;

/** The order whose error it is, and how to ask the DNS. */
export type CaaContext = {
  readonly identifiers: readonly Identifier[];
  readonly lookUp: CaaLookup;
  readonly signal: AbortSignal;
};

/**
 * The same failure; one about CAA (RFC 8659) with the records in question, as this machine sees them, in its message. Takes
 * 5 s at most and throws nothing: it is a help, whatever comes of it.
 */
export async function showCaa(failure: OperatorError, context: CaaContext): Promise<OperatorError> {
  const names = namesIn(failure, context.identifiers);
  if (names.length === 0) return failure;
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const entries = names
    .slice(0, MOST_NAMES)
    .map(async (name) => [name, await describeCaa(name, context.lookUp, signal)] as const);
  return withNotes(failure, new Map(await Promise.all(entries)));
}

function namesIn(error: OperatorError, identifiers: readonly Identifier[]): readonly string[] {
  if (error instanceof ChallengeFailedError) {
    return error.failures.filter(({ problem }) => isAboutCaa(problem)).map(({ identifier }) => identifier.value);
  }
  if (!(error instanceof ProblemError) || !isAboutCaa(error.problem)) return [];
  const refused = error.problem.subproblems.filter((one) => problemName(one) === "caa");
  const named = refused.flatMap(({ identifier }) => identifier ?? []);
  return named.length > 0 ? named : identifiers.flatMap(({ type, value }) => (type === "dns" ? value : []));
}

function isAboutCaa(problem: Problem): boolean {
  return [problem, ...problem.subproblems].some((one) => problemName(one) === "caa");
}

function withNotes(error: OperatorError, found: ReadonlyMap<string, string>): OperatorError {
  if (error instanceof ChallengeFailedError) {
    const failures = error.failures.map((failure) => {
      const note = found.get(failure.identifier.value);
      return note === undefined ? failure : { ...failure, notes: [note] };
    });
    return new ChallengeFailedError(failures);
  }
  if (error instanceof ProblemError) return new ProblemError(error.doing, error.problem, [...new Set(found.values())]);
  return error;
}

/** What the records that count for a name say: those of the closest name upwards that has any (RFC 8659 §3). */
async function describeCaa(name: string, lookUp: CaaLookup, signal: AbortSignal): Promise<string> {
  const labels = name.replace(/^\*\./, "").split(".");
  try {
    for (let index = 0; index < labels.length; index += 1) {
      const place = labels.slice(index).join(".");
      const records = await lookUp(place, signal);
      if (records.length > 0) return describeRecords(place, records);
    }
    return `from here no CAA record is seen for ${name}: the DNS has changed, or the CA sees another one`;
  } catch {
    return `the CAA records of ${name} can't be looked up from here`;
  }
}

// RFC 8657.
const PARAMETERS = [
  [/;\s*accounturi\s*=/i, "its accounturi allows one account only, which may not be ours"],
  [/;\s*validationmethods\s*=/i, "its validationmethods allows no other way to prove the name"],
] as const;

function describeRecords(place: string, records: readonly CaaRecord[]): string {
  const list = records.map(({ flags, tag, value }) => `${flags} ${tag} "${value}"`).join(", ");
  const allowing = records.filter(({ tag }) => tag.startsWith("issue")).map(({ value }) => value);
  const hints = PARAMETERS.flatMap(([says, hint]) => (allowing.some((value) => says.test(value)) ? [hint] : []));
  return oneLine([`CAA record found at ${place}: ${list}`, ...hints].join("; "));
}
