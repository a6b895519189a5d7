import { describe, expect, test } from "vitest";
import { ConfigurationRejectedError, type Target, type Version } from "../../src/reconcile/index.ts";
import { poll } from "./poll.ts";

/** A target that serves nothing of ours yet, and the files that it reads. */
export type TargetUnderTest = {
  readonly target: Target;
  /** Shows another version of `a.test` in these files, and gives it. */
  readonly show: () => Promise<Version>;
  /** Makes what it reads something that it must refuse. */
  readonly spoil: () => Promise<void>;
};

const NEVER = new AbortController().signal;

/** What every target that can be checked by TLS must do: a double passes it as the real one does. */
export function targetContract(name: string, make: () => Promise<TargetUnderTest>): void {
  const isServed = async (target: Target, version: Version) =>
    (await target.tlsCheck?.(version, NEVER))?.kind === "served";
  // While a server takes over, what it was before may answer once more: what is served is waited for, what isn't is a fact.
  const expectServed = (target: Target, version: Version) => poll("it is served", () => isServed(target, version));
  const apply = async (target: Target, version: Version) => {
    await target.check(NEVER);
    expect([...(await target.apply([version], NEVER))]).toEqual([]);
    await expectServed(target, version);
  };

  describe(`${name}, as every target,`, () => {
    test("serves what was shown when it was applied last, not what is shown since", async () => {
      const { target, show } = await make();
      const first = await show();
      await apply(target, first);
      const second = await show();
      await target.check(NEVER);
      await expectServed(target, first);
      expect(await isServed(target, second)).toBe(false);
      await apply(target, second);
      await poll("the first one is served no longer", async () => !(await isServed(target, first)));
    });

    test("refuses a bad configuration, and goes on with what it serves", async () => {
      const { target, show, spoil } = await make();
      const first = await show();
      await apply(target, first);
      await spoil();
      await expect(target.check(NEVER)).rejects.toBeInstanceOf(ConfigurationRejectedError);
      await expectServed(target, first);
    });

    test("takes over what its test passes, and nothing else, where it is asked for both", async () => {
      const { target, show, spoil } = await make();
      const both = async (version: Version) => {
        if (target.checkAndApply) return target.checkAndApply([version], NEVER);
        await target.check(NEVER, [version.lineage]);
        return target.apply([version], NEVER);
      };
      const first = await show();
      expect([...(await both(first))]).toEqual([]);
      await expectServed(target, first);
      await spoil();
      await expect(both(first)).rejects.toBeInstanceOf(ConfigurationRejectedError);
      await expectServed(target, first);
    });

    test("does nothing when there is nothing to apply", async () => {
      const { target, show } = await make();
      const first = await show();
      await apply(target, first);
      const second = await show();
      expect([...(await target.apply([], NEVER))]).toEqual([]);
      await expectServed(target, first);
      expect(await isServed(target, second)).toBe(false);
    });

    test("may be applied twice", async () => {
      const { target, show } = await make();
      const version = await show();
      await apply(target, version);
      expect([...(await target.apply([version], NEVER))]).toEqual([]);
      await expectServed(target, version);
    });

    test("gives up with the signal's reason", async () => {
      const { target, show } = await make();
      const version = await show();
      const signal = AbortSignal.abort(new Error("stopping"));
      for (const doing of [target.check(signal), target.apply([version], signal), target.tlsCheck?.(version, signal)])
        await expect(doing).rejects.toThrow("stopping");
      expect(await isServed(target, version)).toBe(false);
    });
  });
}
