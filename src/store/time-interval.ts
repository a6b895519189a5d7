const DAY_MS = 24 * 3600_000;

const UNITS: readonly (readonly [RegExp, number])[] = [
  [/^(?:s|secs?|seconds?)$/, 1000],
  [/^(?:m|mins?|minutes?)$/, 60_000],
  [/^(?:h|hrs?|hours?)$/, 3600_000],
  [/^(?:d|dys?|days?)$/, DAY_MS],
  [/^(?:w|wks?|weeks?)$/, 7 * DAY_MS],
  [/^(?:mths?|months?)$/, 30 * DAY_MS],
  [/^(?:y|yrs?|years?)$/, 365 * DAY_MS],
];

const LONGEST_TEXT = 100;

/** A length of time as certbot's confs have it, `30 days` or `3 days 12 hours`, in milliseconds; a bare number is days. */
export function readInterval(text: string): number | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  const words = text
    .toLowerCase()
    .replaceAll(/(\d)([a-z])/g, "$1 $2")
    .split(/[\s,]+/)
    .filter((word) => word !== "and" && word !== "");
  if (words.length === 1) words.push("days");
  let ms = 0;
  for (let index = 0; index < words.length; index += 2) {
    const [count = "", name = ""] = words.slice(index, index + 2);
    const [, unitMs] = UNITS.find(([pattern]) => pattern.test(name)) ?? [];
    if (unitMs === undefined || !/^\d+(?:\.\d+)?$/.test(count)) return undefined;
    ms += Number(count) * unitMs;
  }
  return ms > 0 ? ms : undefined;
}
