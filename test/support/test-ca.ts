import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A server certificate, its key, and the root that signed it: what a private CA gives to one HTTPS server. */
export type TestCertificate = { readonly caPem: string; readonly certificatePem: string; readonly keyPem: string };

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes a root and a server certificate for `names` (default: this machine's loopback). Needs the openssl command.
 * The root may sign certificates and the leaf names its key, without which newer TLS clients refuse the pair.
 * `rootName` is the root's common name.
 */
export async function makeTestCertificate(
  names: readonly string[] = ["DNS:localhost", "IP:127.0.0.1"],
  rootName = "Test root",
): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), "test-ca-"));
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  try {
    await writeFile(
      join(folder, "leaf.ext"),
      `subjectAltName=${names.join(",")}\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n`,
    );
    const root = ["-x509", "-subj", `/CN=${rootName}`, "-days", "30", "-addext", "keyUsage=critical,keyCertSign"];
    await openssl("req", ...EC_KEY, ...root, "-keyout", "ca.key", "-out", "ca.pem");
    await openssl("req", ...EC_KEY, "-subj", "/CN=test", "-keyout", "leaf.key", "-out", "leaf.csr");
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "leaf.ext"];
    await openssl("x509", "-req", "-in", "leaf.csr", ...sign, "-out", "leaf.pem");
    const read = (name: string) => readFile(join(folder, name), "utf8");
    return {
      caPem: await read("ca.pem"),
      certificatePem: await read("leaf.pem"),
      keyPem: await read("leaf.key"),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
