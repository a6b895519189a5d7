export { askDaemon } from "./client.ts";
export { DaemonLostError, DaemonStoppingError, printed } from "./errors.ts";
export type { ControlRequest } from "./protocol.ts";
export { createControlServer } from "./server.ts";
export type { ControlHandler, ControlIo } from "./session.ts";
