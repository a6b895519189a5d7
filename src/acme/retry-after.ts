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
  const latest = now.getTime() + LONGEST_S * 1000;
  if (/^\d+$/.test(text)) return new Date(Math.min(now.getTime() + Number(text) * 1000, latest));
  const at = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : new Date(Math.min(at, latest));
}
