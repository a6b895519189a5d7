export { askDaemon } from "./client.ts";
export type { AskOptions } from "./client.ts";
export {
  ClientGoneError,
  DaemonLostError,
  DaemonRefusedError,
  DaemonSilentError,
  DaemonStoppingError,
  LockHeldError,
  LockLostError,
  LockUnavailableError,
  SocketPathTooLongError,
} from "./errors.ts";
export type { Lock } from "./held-lock.ts";
export { acquireLock } from "./lock.ts";
export type { LockOptions } from "./lock.ts";
export { LOCK_FOLDER, RUN_FOLDER, SOCKET_NAME } from "./protocol.ts";
export type { ControlRequest } from "./protocol.ts";
export type { ControlHandler, ControlIo } from "./session.ts";
