import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { systemClock } from "../../src/system/index.ts";
import { shakeHands } from "../../src/target/tls/handshake.ts";

// A program of its own, with --expose-gc, whose memory is nobody else's: prints by how many bytes it grows from the first half of so
// many handshakes to the second. The server shows a chain of two.
const HALF = Number(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), "handshakes-"));
const openssl = (words: string) => execFileSync("openssl", words.split(" "), { cwd: folder, stdio: "pipe" });
const KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
openssl(`req -x509 ${KEY} -subj /CN=root -days 30 -keyout root-key.pem -out root.pem`);
openssl(`req ${KEY} -subj /CN=a.test -keyout key.pem -out leaf.csr`);
openssl("x509 -req -in leaf.csr -CA root.pem -CAkey root-key.pem -CAcreateserial -days 30 -out leaf.pem");
const [cert, key] = [["leaf.pem", "root.pem"], ["key.pem"]].map((names) =>
  names.map((name) => readFileSync(join(folder, name), "utf8")).join(""),
);
rmSync(folder, { recursive: true });

const server = createServer({ cert, key }, (socket) => void socket.on("error", () => undefined).resume());
server.on("tlsClientError", () => undefined);
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = server.address() as AddressInfo; // a TCP server has no other kind of address
const request = { address: "127.0.0.1", port, isProxied: false, serverName: "a.test", clock: systemClock, ms: 60_000 };

async function shake(): Promise<number> {
  for (let count = 0; count < HALF; count += 10) {
    const all = Array.from({ length: 10 }, () => shakeHands(request, new AbortController().signal));
    for (const { kind } of await Promise.all(all)) if (kind !== "presented") throw new Error(kind);
  }
  for (let time = 0; time < 3; time += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  return process.memoryUsage().rss;
}

const first = await shake();
console.log((await shake()) - first);
process.exit();
