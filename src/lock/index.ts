export { acquireLock, type LockOptions } from "./acquire-lock.ts";
export { LockHeldError } from "./errors.ts";
export type { Lock } from "./held-lock.ts";
export { SOCKET_NAME } from "./liveness-socket.ts";
