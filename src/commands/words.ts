import type { Failure, Identifier, Validity } from "../certificate/index.ts";

const UNITS = [
  { name: "day", ms: 24 * 3600_000 },
  { name: "hour", ms: 3600_000 },
  { name: "minute", ms: 60_000 },
  { name: "second", ms: 1000 },
] as const;

/** A length of time in its largest fitting unit, rounded down: `89 days`. */
export function inWords(ms: number): string {
  const unit = UNITS.find((one) => ms >= one.ms) ?? { name: "second", ms: 1000 };
  const count = Math.max(0, Math.floor(ms / unit.ms));
  return `${count} ${unit.name}${count === 1 ? "" : "s"}`;
}

/** An instant for people, to the second, in UTC. */
export function instant(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `valid until <instant> (89 days left)` or `expired at <instant>`. */
export function validUntil({ notAfter }: Validity, now: Date): string {
  const leftMs = notAfter.getTime() - now.getTime();
  return leftMs < 0 ? `EXPIRED at ${instant(notAfter)}` : `valid until ${instant(notAfter)} (${inWords(leftMs)} left)`;
}

/** The names of a certificate, as they are asked for. */
export function names(identifiers: readonly Identifier[]): string {
  return identifiers.map(({ value }) => value).join(" ");
}

/** A failure for people: what happened, with its code at the end of the first line, and what to do. */
export function failureLines({ code, message, remedy }: Failure): string {
  const [first, ...others] = message.split("\n");
  return [`${first} [${code}]`, ...others, `  what to do: ${remedy}`].join("\n");
}

/** What is wrong with this machine's clock; `aheadMs` is how far the CA's is ahead of it. */
export function clockLine(aheadMs: number): string {
  const side = aheadMs > 0 ? "behind" : "ahead of";
  return `this machine's clock is ${inWords(Math.abs(aheadMs))} ${side} the CA's: set it right (NTP)`;
}
