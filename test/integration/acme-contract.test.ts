import { acmeStage, dns } from "../support/acme-stage.ts";
import { caContract } from "../support/ca-contract.ts";

const stage = acmeStage();

caContract(async () => {
  const { authority } = await stage.sidecar();
  return {
    authority,
    request: (names) => stage.request(dns(...names)),
    // Those whose nonce it refuses it has not got.
    csrsSent: () => stage.ca.passed.filter(({ path, status }) => path.includes("finalize") && status === 200).length,
  };
});
