import * as fc from "fast-check";
import type { Validity } from "../../../src/certificate/index.ts";

/** Milliseconds. */
export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const YEAR_MS = 365 * DAY_MS;

/** When every life of these tests begins. */
export const START = new Date("2026-01-01T00:00:00Z");

/** So many milliseconds after {@link START}. */
export const at = (ms: number) => new Date(START.getTime() + ms);

/** A life of so many milliseconds. */
export const life = (ms: number): Validity => ({ notBefore: START, notAfter: at(ms) });

/** A share of something, 0 to 1. */
export const shares = fc.double({ min: 0, max: 1, noNaN: true });

/** What a random number generator gives: 0 to 1, 1 left out. */
export const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Milliseconds from `min` to `max`, short ones as often as long ones. */
export const spans = (min: number, max: number) => shares.map((share) => Math.round(min * (max / min) ** share));

/** Lives of the certificates that CAs give: from 10 minutes to 200 days. */
export const lives = spans(10 * MINUTE_MS, 200 * DAY_MS).map(life);

/** Any life that can be written down, from a second to ten years, and one that ends before it begins. */
export const anyLives = fc.oneof(spans(SECOND_MS, 10 * YEAR_MS).map(life), fc.constant(life(-DAY_MS)));

/** Instants up to centuries away, a clock set wrong included. */
export const instants = fc.integer({ min: -500 * YEAR_MS, max: 500 * YEAR_MS }).map(at);
