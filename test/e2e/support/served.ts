import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import type { Stack } from "./stack.ts";

/** The leaf that the stack's nginx presents for a name, to somebody outside. Throws when there is no TLS. */
export function servedLeaf(stack: Stack, name = "demo.test"): Promise<X509Certificate> {
  return leafAt(stack.httpsPort, name);
}

/** The leaf that is presented for a name on a port of this machine. Throws when there is no TLS. */
export function leafAt(port: number, name = "demo.test"): Promise<X509Certificate> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const socket = connect({ host: "127.0.0.1", port, servername: name, rejectUnauthorized: false });
  socket.setTimeout(5000, () => socket.destroy(new Error("no TLS handshake within 5 s")));
  socket.on("secureConnect", () => {
    resolve(new X509Certificate(socket.getPeerCertificate(true).raw));
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

/** The leaf that is on disk for a lineage. */
export async function diskLeaf(stack: Stack, lineage = "demo.test"): Promise<X509Certificate> {
  return new X509Certificate(await stack.readConf("live", lineage, "fullchain.pem"));
}

/**
 * Whether the stack's nginx presents, in one look, the very certificate that is on disk. Throws when there is no TLS. Right after
 * a reload an old worker may still answer: what has to be served by then is asked by `isDiskSettled`.
 */
export async function isDiskServed(stack: Stack, lineage = "demo.test"): Promise<boolean> {
  const [served, disk] = await Promise.all([servedLeaf(stack, lineage), diskLeaf(stack, lineage)]);
  return served.fingerprint256 === disk.fingerprint256;
}
