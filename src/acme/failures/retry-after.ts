// The longest limit that CAs document is a week. What lies far beyond is a mistake, and must not stop renewals for ever.
const LONGEST_S = 31 * 24 * 3600;

// RFC 9110 §5.6.7: all three date forms begin with a day's name; Date.parse alone would find years in any text.
const HTTP_DATE = /^[A-Z][a-z]{2,8},? /;

/**
 * The instant that a Retry-After header names, in seconds or as a date (RFC 9110 §10.2.3), at most 31 days from `now`;
 * undefined when there is none or it can't be read. It may lie in the past.
 */
export function parseRetryAfter(header: string | undefined, now: Date): Date | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return bounded(now.getTime() + Number(text) * 1000, now);
  return bounded(HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN, now);
}

const TIME_IN_WORDS = /retry after (\d{4})-(\d\d-\d\d)[T ](\d\d:\d\d:\d\d) ?(?:UTC|Z)/i;

// Go's zero time and Unix's: what follows them is how long to wait, by a server that printed a duration as a date.
const ZERO_YEARS = new Set(["0001", "1970"]);

/**
 * The instant that a problem's words name ("retry after 2026-08-05 10:18:15 UTC", as Boulder puts it), bounded as
 * {@link parseRetryAfter}. A date in the first year of a calendar is a duration from `now`. Undefined when they name none.
 */
export function retryTimeInWords(words: string, now: Date): Date | undefined {
  const [, year = "", day = "", time = ""] = TIME_IN_WORDS.exec(words) ?? [];
  const at = Date.parse(`${year}-${day}T${time}Z`);
  return bounded(ZERO_YEARS.has(year) ? now.getTime() + at - Date.parse(`${year}-01-01T00:00:00Z`) : at, now);
}

function bounded(atMs: number, now: Date): Date | undefined {
  return Number.isNaN(atMs) ? undefined : new Date(Math.min(atMs, now.getTime() + LONGEST_S * 1000));
}
