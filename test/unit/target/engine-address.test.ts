import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectOptions, describeEngineAddress } from "../../../src/target/docker/engine-address.ts";

test("an engine's address is shown as an operator writes it", () => {
  expect(describeEngineAddress({ kind: "socket", socketPath: "/var/run/docker.sock" })).toBe("/var/run/docker.sock");
  expect(describeEngineAddress({ kind: "tcp", host: "proxy", port: 2375 })).toBe("http://proxy:2375");
  expect(describeEngineAddress({ kind: "tcp", host: "fd00::2", port: 2376, certPath: "/c" })).toBe(
    "https://[fd00::2]:2376",
  );
});

test("DOCKER_CERT_PATH must hold ca.pem, and cert.pem and key.pem are taken where they are", async () => {
  const certPath = await mkdtemp(join(tmpdir(), "docker-cert-"));
  try {
    const address = { kind: "tcp", host: "h", port: 2376, certPath } as const;
    await expect(connectOptions(address)).rejects.toThrow(/ca\.pem.*DOCKER_CERT_PATH/s);
    await writeFile(join(certPath, "ca.pem"), "the root");
    const ca = Buffer.from("the root");
    expect(await connectOptions(address)).toMatchObject({ protocol: "https", ca, cert: undefined });
  } finally {
    await rm(certPath, { recursive: true });
  }
});
