import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diskLeaf } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

// Ports that the engine chooses, and names that are the same each time, so that no images are left.
const OVERRIDE = `
services:
  postfix: { image: cert-sidecar-test/postfix, ports: !override ["127.0.0.1::25"] }
  dovecot: { image: cert-sidecar-test/dovecot, ports: !override ["127.0.0.1::143", "127.0.0.1::993"] }
`;
const ENTRANCES = [
  ["postfix", 25, "smtp"],
  ["dovecot", 143, "imap"],
  ["dovecot", 993, undefined],
] as const;
const SERVERS = ["postfix", "dovecot"];

// Installing packages on a machine out of breath.
const BUILT_WITHIN_MS = 900_000;

let stack: Stack;
tellOnFailure(() => stack);
afterAll(() => stack?.remove());

test("the mail example is asked for the server's name, and for nothing else", async () => {
  const nameless = await createStack({ example: "mail" });
  try {
    const { code, stderr } = await nameless.compose("config", "--quiet");
    expect(code).not.toBe(0);
    expect(stderr).toContain("MAIL_NAME in .env is to be the name of your mail server");
  } finally {
    await nameless.remove();
  }
});

describe.runIf(process.env["CERT_SIDECAR_FULL"])("the mail example", () => {
  beforeAll(async () => {
    // The schedule is far away, so that nothing but what is tested here can set something right.
    const env = { MAIL_NAME: "demo.test", CERTBOT_SCHEDULE: "0 0 1 1 *" };
    stack = await createStack({ env, example: "mail", override: OVERRIDE });
    await stack.composeOk("build", "--quiet", ...SERVERS);
    await stack.up();
  }, BUILT_WITHIN_MS);

  test("has both servers come up without a certificate, and serve the first one without a restart", async () => {
    await expectServed();
    for (const server of SERVERS) expect(await startedAt(server)).toMatch(/ 0$/);
    await until("status says that all is well", isWell);
    expect((await stack.events()).filter(({ event }) => event === "deploy.failed")).toEqual([]);
  });

  test("has a renewal served by both, on each of their ports, without a restart", async () => {
    const before = await Promise.all(SERVERS.map(startedAt));
    const renewal = await stack.certbot("update-cert", "--force-renewal");
    expect(renewal).toMatchObject({ code: 0, stderr: "" });
    for (const server of SERVERS) expect(renewal.stdout).toContain(`demo.test: ${server}-1 serves it\n`);
    await expectServed();
    expect(await Promise.all(SERVERS.map(startedAt))).toEqual(before);
  });

  test("has servers that are made anew come up with the newest certificate, whoever is away", async () => {
    await stack.composeOk("stop", "certbot");
    await stack.composeOk("up", "-d", "--no-build", "--force-recreate", ...SERVERS);
    await expectServed();
    expect(await stack.inspect("certbot", "{{.State.Status}}")).toBe("exited");
  });
});

const isWell = async () => ((await stack.certbot("status")).code === 0 ? true : undefined);
const startedAt = (server: string) => stack.inspect(server, "{{.State.StartedAt}} {{.RestartCount}}");

async function expectServed(): Promise<void> {
  for (const [server, port, startTls] of ENTRANCES) {
    await until(`${server} serves what is on disk on port ${port}`, async () => {
      const { fingerprint256 } = await diskLeaf(stack);
      return (await presentedAt(server, port, startTls)) === fingerprint256 || undefined;
    });
  }
}

/** What openssl is shown there, as a fingerprint. */
async function presentedAt(server: string, port: number, startTls?: string): Promise<string | undefined> {
  const address = (await stack.composeOk("port", server, String(port))).trim();
  const over = startTls === undefined ? "" : `-starttls ${startTls}`;
  const shown = `timeout 10 openssl s_client -connect ${address} ${over} -servername demo.test </dev/null 2>/dev/null`;
  const { stdout } = await stack.shell(`${shown} | openssl x509 -noout -fingerprint -sha256`);
  return /Fingerprint=(.*)/.exec(stdout)?.[1];
}
