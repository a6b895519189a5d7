import { createCertificateAuthority } from "../../../src/acme/index.ts";
import type { HttpRequest } from "../../../src/ports/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { createDraws } from "../../simulation/draws.ts";
import { ProofBoard } from "../../simulation/proof-board.ts";
import { SimulatedCa } from "../../simulation/simulated-ca.ts";
import { caContract, requestOf } from "../../support/ca-contract.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { DAY, PRODUCTION } from "../../support/reconcile-stage.ts";
import { folderInMemory } from "../../support/temporary-folder.ts";

// The CA of the simulated lives, in good health: what it has in common with Pebble is all that they are worth.
caContract(async () => {
  const proofs = new ProofBoard();
  const clock = instantClock();
  const nowMs = () => clock.now().getTime();
  const conditions = {
    refusedProof: () => undefined,
    shownProof: (token: string) => proofs.shown(token),
    decisionMs: () => 100,
  };
  const ca = new SimulatedCa({
    directoryUrl: PRODUCTION,
    kind: "staging",
    startMs: nowMs(),
    lifeMs: 90 * DAY,
    conditions,
    draws: createDraws(1, "contract"),
  });
  let finalized = 0;
  const authority = createCertificateAuthority({
    accounts: createAccountStore({ root: await folderInMemory() }),
    solverFor: () => proofs,
    clock,
    lookUpCaa: async () => [],
    http: async (request: HttpRequest, signal) => {
      signal.throwIfAborted();
      const reply = ca.answer(request, nowMs());
      if (request.url.includes("finalize") && reply.status === 200) finalized += 1;
      return reply;
    },
  });
  return {
    authority,
    request: requestOf,
    csrsSent: () => finalized,
  };
});
