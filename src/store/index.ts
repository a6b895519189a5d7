export { createAccountStore } from "./account-store.ts";
export type { FileSystem } from "./durable-files.ts";
export { StoreError } from "./errors.ts";
export { createLineageStore } from "./lineage-store.ts";
export { createNotebooks } from "./notebooks.ts";
export { createReloadRequest } from "./reload-request.ts";
