import { caContract, requestOf } from "../../support/ca-contract.ts";
import { DAY } from "../../support/reconcile-stage.ts";
import { TestAuthority } from "../../support/test-authority.ts";

caContract(async () => {
  const authority = new TestAuthority(() => new Date(), 90 * DAY);
  authority.keepsOrders = true;
  return {
    authority,
    csrsSent: () => authority.open.size,
    request: requestOf,
  };
});
