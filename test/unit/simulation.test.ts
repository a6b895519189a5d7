import { describe, expect, test } from "vitest";
import { simulateLife } from "../simulation/simulated-life.ts";

// A glimpse of `npm run simulate`, which lives 200 seeds for two years each.
const SEEDS = [1, 2, 3, 4, 5];

describe.each([
  { lifetimeDays: 6, years: 0.08 },
  { lifetimeDays: 45, years: 0.2 },
  { lifetimeDays: 90, years: 0.3 },
])("certificates of $lifetimeDays days", ({ lifetimeDays, years }) => {
  test.each(SEEDS)("never lapse for want of a try, nor break a limit, with the troubles of seed %i", async (seed) => {
    const { problems, timeline, figures } = await simulateLife({ seed, lifetimeDays, years });
    const cause = problems.length > 0 ? timeline.slice(-60) : [];
    expect({ problems, cause }).toEqual({ problems: [], cause: [] });
    expect(figures.versions).toBeGreaterThan(1);
  });
});

test("the same seed gives the same life", async () => {
  const life = async () => {
    const { figures, timeline } = await simulateLife({ seed: 2, lifetimeDays: 6, years: 0.08 });
    return { ...figures, cpuMs: 0, last: timeline.at(-1)?.slice(0, 24) };
  };
  expect(await life()).toEqual(await life());
});
