import { parseIdentifier } from "../../../src/certificate/index.ts";
import { caContract } from "../../support/ca-contract.ts";
import { DAY, PRODUCTION } from "../../support/reconcile-stage.ts";
import { TestAuthority } from "../../support/test-authority.ts";

caContract(async () => {
  const authority = new TestAuthority(() => new Date(), 90 * DAY);
  authority.keepsOrders = true;
  return {
    authority,
    csrsSent: () => authority.open.size,
    request: (names) => ({
      lineage: names[0] ?? "",
      identifiers: names.map(parseIdentifier),
      keyType: "ecdsa-p256",
      directoryUrl: PRODUCTION,
      webrootPath: "/var/www/html",
      account: "stored",
    }),
  };
});
