import { filesCommand, NOTHING_SAID } from "../../src/target/nginx-files.ts";

/** The body of the request by which the sidecar has a command run in a container. */
export function execRequest(Cmd: readonly string[]): string {
  return JSON.stringify({ Cmd, AttachStdout: true, AttachStderr: true });
}

/** As {@link execRequest}, of the question which certificate is in a file. */
export function filesRequest(path: string): string {
  const server = { listens: [], names: [], certificates: [path], hasUnknown: false };
  return execRequest(filesCommand({ ...NOTHING_SAID, servers: [server] }) ?? []);
}
