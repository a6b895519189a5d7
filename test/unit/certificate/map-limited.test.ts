import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createSlots, mapLimited } from "../../../src/certificate/index.ts";

describe("doing something for many items", () => {
  test("keeps the order of results and never has more than the limit under way", async () => {
    let underWay = 0;
    let most = 0;
    const results = await mapLimited([...Array(30).keys()], 8, async (number) => {
      most = Math.max(most, (underWay += 1));
      await turn();
      underWay -= 1;
      return number * 2;
    });
    expect(results).toEqual([...Array(30).keys()].map((number) => number * 2));
    expect(most).toBe(8);
  });

  test("begins nothing new after a failure, and leaves nothing running", async () => {
    const begun: number[] = [];
    let underWay = 0;
    const all = mapLimited([...Array(30).keys()], 8, async (number) => {
      begun.push(number);
      underWay += 1;
      for (let turns = 0; turns < number; turns += 1) await turn();
      underWay -= 1;
      if (number === 3) throw new Error("third");
    });
    await expect(all).rejects.toThrow("third");
    expect(underWay).toBe(0);
    expect(begun.length).toBeLessThan(16);
  });

  test("fails with what failed first, whoever failed beside it", async () => {
    const all = mapLimited([0, 1], 2, async (number) => {
      if (number === 0) await turn();
      throw new Error(`number ${number}`);
    });
    await expect(all).rejects.toThrow("number 1");
  });
});

describe("a limit that several share", () => {
  test("is never passed, and work that fails gives its place to the next, in the order of the calls", async () => {
    const inTurn = createSlots(3);
    const begun: number[] = [];
    let [underWay, most] = [0, 0];
    const all = [...Array(20).keys()].map((number) =>
      inTurn(async () => {
        begun.push(number);
        most = Math.max(most, (underWay += 1));
        await turn();
        underWay -= 1;
        if (number % 2 === 0) throw new Error("even");
        return number;
      }),
    );
    const outcomes = await Promise.allSettled(all);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    expect(begun).toEqual([...Array(20).keys()]);
    expect(most).toBe(3);
    await expect(inTurn(async () => "later")).resolves.toBe("later");
  });
});
