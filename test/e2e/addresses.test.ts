import { randomInt, type X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { probe } from "../support/http-probe.ts";
import { servedByCa } from "./support/issued.ts";
import { diskLeaf } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

// Among the private networks that few use, so that the address of nginx is known before it starts.
const SUBNET = `10.213.${randomInt(256)}`;
const ADDRESS = `${SUBNET}.80`;

const OVERRIDE = `services:
  nginx:
    networks: { default: { ipv4_address: ${ADDRESS} } }
networks:
  default:
    ipam: { config: [{ subnet: ${SUBNET}.0/24 }] }
`;

let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ env: { CERTBOT_DOMAIN: `demo.test; ${ADDRESS}` }, override: OVERRIDE });
  await stack.up();
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test("the address of nginx has a certificate of its own, served to clients that name no server", async () => {
  const byName = await servedByCa(stack);
  expect(byName.subjectAltName).toBe("DNS:demo.test");
  const byAddress = await servedForAddress();
  expect(byAddress.subjectAltName).toBe(`IP Address:${ADDRESS}`);
  expect((await servedByCa(stack)).fingerprint256).toBe(byName.fingerprint256);
});

test("it is renewed like any other, and port 80 of the address leads to HTTPS", async () => {
  const before = await servedForAddress();
  const update = await stack.certbot("update-cert", "--force-renewal", "--cert-name", ADDRESS);
  expect(update.stderr).toBe("");
  expect(update).toMatchObject({ code: 0, stdout: expect.stringContaining(`${ADDRESS}: nginx-1 serves it`) });
  expect((await servedForAddress()).serialNumber).not.toBe(before.serialNumber);
  const redirected = await probe(`http://127.0.0.1:${stack.httpPort}/some/page`, {
    host: `${ADDRESS}:${stack.httpPort}`,
  });
  expect(redirected.status).toBe(301);
  expect(redirected.headers.location).toContain(`https://${ADDRESS}`);
  const { stdout, code } = await stack.certbot("status");
  expect(stdout).toContain(`${ADDRESS}\n  names: ${ADDRESS}\n`);
  expect(code).toBe(0);
});

/** The certificate on disk for the address, once clients that name no server get it. */
function servedForAddress(): Promise<X509Certificate> {
  return until("the address is served", async () => {
    const disk = await diskLeaf(stack, ADDRESS);
    const { status, certificate } = await probe(`https://127.0.0.1:${stack.httpsPort}/`, { host: ADDRESS });
    return status === 200 && certificate?.fingerprint256 === disk.fingerprint256 ? disk : undefined;
  });
}
