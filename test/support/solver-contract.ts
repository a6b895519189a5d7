import { expect, test } from "vitest";
import type { ChallengeProof, ChallengeSolver } from "../../src/ports/index.ts";

/** A solver, and what is to be seen of it where the CA looks. */
export type SolverUnderTest = {
  readonly solver: ChallengeSolver;
  /** Everything that is there for a proof's name, ours and others'. */
  readonly seen: (proof: ChallengeProof) => Promise<readonly string[]>;
  /** What `seen` has of a proof that is presented. */
  readonly shown: (proof: ChallengeProof) => string;
  /** Puts there what somebody else has left for the name; gives what `seen` has of it. */
  readonly putForeign: (proof: ChallengeProof) => Promise<string>;
};

const signal = new AbortController().signal;

function proofOf(token: string, value = "a.test"): ChallengeProof {
  return { identifier: { type: "dns", value }, token, keyAuthorization: `${token}.${"x".repeat(43)}` };
}

/** What every ChallengeSolver must do, whatever it proves names by. */
export function solverContract(make: () => Promise<SolverUnderTest>): void {
  test("shows a proof, presented once or twice, and passes its own check", async () => {
    const { solver, seen, shown } = await make();
    const proof = proofOf("one");
    await solver.present(proof, signal);
    await solver.present(proof, signal);
    expect(await seen(proof)).toEqual([shown(proof)]);
    expect(await solver.selfCheck(proof, signal)).toBeUndefined();
  });

  test("shows two proofs of one name side by side, as for a name and its wildcard", async () => {
    const { solver, seen, shown } = await make();
    const proofs = [proofOf("one"), proofOf("two")] as const;
    await Promise.all(proofs.map((proof) => solver.present(proof, signal)));
    expect([...(await seen(proofs[0]))].sort()).toEqual(proofs.map(shown).sort());
    await solver.cleanUp(proofs[0]);
    expect(await seen(proofs[1])).toEqual([shown(proofs[1])]);
  });

  test("takes a proof away, once or twice or before it was there, and leaves what is somebody else's", async () => {
    const { solver, seen, putForeign } = await make();
    const proof = proofOf("one");
    await solver.cleanUp(proof);
    const foreign = await putForeign(proof);
    await solver.present(proof, signal);
    await solver.cleanUp(proof);
    await solver.cleanUp(proof);
    expect(await seen(proof)).toEqual([foreign]);
  });

  test("tells what its check misses where nothing was presented", async () => {
    const { solver } = await make();
    const finding = await solver.selfCheck(proofOf("one"), signal);
    expect(finding?.message).toContain("a.test");
  });

  test("does nothing any more once it is told to stop", async () => {
    const { solver, seen } = await make();
    const stopped = AbortSignal.abort(new Error("the daemon stops"));
    await expect(solver.present(proofOf("one"), stopped)).rejects.toThrow("the daemon stops");
    expect(await seen(proofOf("one"))).toEqual([]);
  });
}
