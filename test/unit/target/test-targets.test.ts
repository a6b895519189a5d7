import { writeFile } from "node:fs/promises";
import { resolveDesired, type Target } from "../../../src/reconcile/index.ts";
import { versionsToServe } from "../../../src/reconcile/deploy/owners.ts";
import { newVersion } from "../../support/lineage-tree.ts";
import { DAY, reconcileStage } from "../../support/reconcile-stage.ts";
import { targetContract } from "../../support/target-contract.ts";
import { TestTarget } from "../../support/test-target.ts";
import { SimulatedTarget } from "../../simulation/simulated-target.ts";

// What stories and the simulation trust in the place of a real server.
const doubles: Record<string, (root: string) => Target> = {
  TestTarget: (root) => new TestTarget(root),
  SimulatedTarget: (root) => new SimulatedTarget(root),
};

for (const [name, create] of Object.entries(doubles)) {
  targetContract(name, async () => {
    const stage = await reconcileStage();
    const { store, policy } = stage.parts();
    const show = async () => {
      const life = { notBefore: stage.now(), notAfter: new Date(stage.now().getTime() + DAY) };
      await store.install(newVersion("a.test", life), stage.now());
      const desired = resolveDesired(policy, await store.list());
      const [version] = versionsToServe(store, desired);
      if (!version) throw new Error("nothing is on disk");
      await store.saveCertificateList([{ ...version, isDefault: true, isReal: true }]);
      return version;
    };
    const spoil = () => writeFile(`${stage.root}/live/a.test/fullchain.pem`, "no certificate\n");
    return { target: create(stage.root), show, spoil };
  });
}
