import { isIP } from "node:net";
import { isPrivateAddress } from "../../certificate/index.ts";
import { isRecord } from "./problem.ts";

/** One request that a CA made to verify a name, as Boulder tells it: the first one, then what redirects led to. */
export type ValidationRecord = {
  readonly url?: string | undefined;
  readonly hostname: string;
  readonly port: string;
  /** All addresses that the CA found for the host name. */
  readonly addressesResolved: readonly string[];
  /** The one that it asked; absent when it came to no request. */
  readonly addressUsed?: string | undefined;
};

// Let's Encrypt follows ten redirects, and each may be asked over IPv6 and IPv4.
const MOST_RECORDS = 22;

/** Reads a challenge's `validationRecord`. What is no such thing is left out: nothing but words for people is made of it. */
export function readValidationRecords(data: unknown): readonly ValidationRecord[] {
  if (!Array.isArray(data)) return [];
  return data.filter(isRecord).slice(0, MOST_RECORDS).flatMap(readJson);
}

function readJson({ url, hostname, port, addressesResolved, addressUsed }: Record<string, unknown>) {
  if (typeof hostname !== "string" || (typeof port !== "string" && typeof port !== "number")) return [];
  const resolved: readonly unknown[] = Array.isArray(addressesResolved) ? addressesResolved : [];
  return [
    {
      url: typeof url === "string" ? url : undefined,
      hostname,
      port: String(port),
      addressesResolved: resolved.filter(isAddress),
      addressUsed: isAddress(addressUsed) ? addressUsed : undefined,
    },
  ];
}

/** What the records tell beside the CA's own words: whom it asked, where that led, and which address looks wrong. */
export function describeValidation(records: readonly ValidationRecord[]): readonly string[] {
  const places = new Set(records.flatMap((record) => [...describeOthers(record), ...describePrivate(record)]));
  return [describeWay(records), ...places, ...describeStrangers(records)].filter(Boolean);
}

function describeWay(records: readonly ValidationRecord[]): string {
  const steps = records.map((record, index) => {
    const previous = records[index - 1];
    const place = `${record.addressUsed ?? record.hostname} port ${record.port}`;
    if (previous === undefined) return `it asked ${place}`;
    if (isFallback(previous, record)) return `got no connection and asked ${place}`;
    return `was redirected to ${record.url ?? record.hostname} and asked ${place}`;
  });
  return steps.join(", ");
}

// After a redirect IPv6 is preferred as at first, so IPv4 after IPv6 at the same place is a second try.
function isFallback(previous: ValidationRecord, record: ValidationRecord): boolean {
  const isSamePlace = previous.hostname === record.hostname && previous.port === record.port;
  return isSamePlace && familyOf(previous) === 6 && familyOf(record) === 4;
}

function familyOf({ addressUsed }: ValidationRecord): number {
  return addressUsed === undefined ? 0 : isIP(addressUsed);
}

function describeOthers({ hostname, addressUsed, addressesResolved }: ValidationRecord): string[] {
  const others = addressesResolved.filter((address) => address !== addressUsed);
  if (addressUsed === undefined || others.length === 0) return [];
  const list = others.join(", ");
  if (isIP(addressUsed) !== 6 || others.every((address) => isIP(address) === 6)) {
    return [`${hostname} has other addresses too: ${list}`];
  }
  return [
    `${hostname} also has ${list}; its AAAA record ${addressUsed} may be stale, and Let's Encrypt turns to IPv4 only when ` +
      "its first connection times out",
  ];
}

function describePrivate({ hostname, addressesResolved }: ValidationRecord): string[] {
  const inside = addressesResolved.filter(isPrivateAddress);
  if (inside.length === 0) return [];
  return [`${hostname} has the private address ${inside.join(", ")}, which no CA on the internet can reach`];
}

function describeStrangers(records: readonly ValidationRecord[]): string[] {
  const [, ...strangers] = new Set(records.map(({ hostname }) => hostname));
  return strangers.length === 0 ? [] : [`the proof must be found at ${strangers.join(", ")} too, where redirects led`];
}

/**
 * The IPv6 address that a failed validation used although IPv4 was there; undefined when that isn't so. Only the last
 * request counts: an IPv6 address that led on to another one has answered.
 */
export function suspectIpv6Address(records: readonly ValidationRecord[]): string | undefined {
  const last = records.at(-1);
  if (last === undefined || familyOf(last) !== 6) return undefined;
  return last.addressesResolved.some((address) => isIP(address) === 4) ? last.addressUsed : undefined;
}

/** Whether the last host that was asked has nothing but addresses that can't be reached from the internet. */
export function isPrivateOnly(records: readonly ValidationRecord[]): boolean {
  const addresses = records.at(-1)?.addressesResolved ?? [];
  return addresses.length > 0 && addresses.every(isPrivateAddress);
}

function isAddress(value: unknown): value is string {
  return typeof value === "string" && isIP(value) !== 0;
}
