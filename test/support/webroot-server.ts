import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

/** A web server that serves a folder on every address of this machine, at a free port. */
export type WebrootServer = { readonly port: number; close(): Promise<void> };

/** Starts it; what isn't a file in the folder is 404. */
export async function serveWebroot(folder: string): Promise<WebrootServer> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://webroot").pathname);
    readFile(join(folder, path)).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
