import { createHash } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ChallengeProof } from "../../../../src/ports/index.ts";
import { solverContract } from "../../../support/solver-contract.ts";
import { testDnsProvider } from "../../../support/test-dns-provider.ts";

const NAME = "_acme-challenge.a.test";
const signal = new AbortController().signal;
const valueOf = ({ keyAuthorization }: ChallengeProof) =>
  createHash("sha256").update(keyAuthorization).digest("base64url");

async function providerForTest() {
  const provider = await testDnsProvider();
  onTestFinished(() => provider.stop());
  return provider;
}

function proof(token: string, value = "a.test"): ChallengeProof {
  return { identifier: { type: "dns", value }, token, keyAuthorization: `${token}.thumbprint` };
}

describe("DNS-01 with a provider", () => {
  solverContract(async () => {
    const provider = await providerForTest();
    return {
      solver: provider.solver(),
      seen: async () => provider.texts(NAME),
      shown: valueOf,
      putForeign: async () => {
        provider.put({ name: NAME, value: "foreign" });
        return "foreign";
      },
    };
  });

  test("shows the digest of RFC 8555 §8.4, a wildcard's under the name below it", async () => {
    const { solver, calls } = await providerForTest();
    await solver().present({ ...proof("t", "*.a.test"), keyAuthorization: "a.b" }, signal);
    // printf a.b | openssl dgst -sha256 -binary | base64, with the letters of base64url.
    expect(calls).toEqual([`add ${NAME} LnM23I66h-9HLfVow1SCq_JXXcPl6sDFxiuP-urCyTQ`]);
  });

  test("takes away in the next process what a death has left, and adds it anew where it is wanted again", async () => {
    const { solver, calls, texts } = await providerForTest();
    const [left, again] = [proof("left"), proof("again")];
    const dying = solver();
    await dying.present(left, signal);
    await dying.present(again, signal);
    calls.length = 0;
    await solver().present(again, signal);
    expect(texts(NAME)).toEqual([valueOf(again)]);
    expect(calls).toEqual([`remove ${NAME} ${valueOf(left)}`, `add ${NAME} ${valueOf(again)}`]);
  });

  test("has written a record down before the provider hears of it: a call that fails may have added it", async () => {
    const { solver, calls, setDown } = await providerForTest();
    setDown(true);
    await expect(solver().present(proof("t"), signal)).rejects.toMatchObject({ code: "CHALLENGE_DNS" });
    setDown(false);
    calls.length = 0;
    await solver().present(proof("u", "b.test"), signal);
    expect(calls[0]).toBe(`remove ${NAME} ${valueOf(proof("t"))}`);
  });

  test("tries again with the next order what it could not take away, and that stops no order", async () => {
    const { solver, texts, setDown, log } = await providerForTest();
    const one = solver();
    await one.present(proof("t"), signal);
    setDown(true);
    await expect(one.cleanUp(proof("t"))).rejects.toMatchObject({ code: "CHALLENGE_DNS" });
    await expect(one.present(proof("u", "b.test"), signal)).rejects.toThrow("did not add");
    expect(log.lines.map(({ event, fields }) => [event, fields["name"]])).toEqual([["challenge.cleanup-failed", NAME]]);
    await expect(one.cleanUp(proof("u", "b.test"))).rejects.toThrow("did not remove");
    setDown(false);
    await one.present(proof("v", "b.test"), signal);
    expect(texts(NAME)).toEqual([]);
    expect(texts("_acme-challenge.b.test")).toEqual([valueOf(proof("v"))]);
  });

  test("asks the provider for one thing at a time of a name", async () => {
    const { solver, calls, hold } = await providerForTest();
    const one = solver();
    const letGo = hold(NAME);
    const presenting = ["t", "u", "v"].map((token) => one.present(proof(token), signal));
    // Another name goes the whole way meanwhile, and would go it behind them.
    await one.present(proof("w", "b.test"), signal);
    expect(calls.filter((call) => call.includes(NAME))).toHaveLength(1);
    letGo();
    await Promise.all(presenting);
    expect(calls).toHaveLength(4);
  });

  test("leaves alone what another order of the same process shows", async () => {
    const { solver, texts } = await providerForTest();
    const one = solver();
    const names = ["a.test", "b.test", "c.test"];
    await Promise.all(names.map((name) => one.present(proof(name, name), signal)));
    expect(names.map((name) => texts(`_acme-challenge.${name}`))).toEqual(names.map((name) => [valueOf(proof(name))]));
  });
});
