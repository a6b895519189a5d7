import { X509Certificate } from "node:crypto";
import { appendFile, lchown, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { makeTestCertificate } from "../support/test-ca.ts";
import { servedLeaf } from "./support/served.ts";
import { createStack, SIDECAR_IMAGE, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const OWNER = 1000;
// The kernel's numbers (capabilities(7)): CHOWN, DAC_OVERRIDE, SETGID, SETUID, NET_BIND_SERVICE. With DAC_READ_SEARCH, 2, the
// host's files can be read from inside.
const CAPABILITIES = [0, 1, 6, 7, 10];

// Lines as people write them, and what both services are to get; more than one line is in quotes.
const ENV_LINES = `
NGINX_HSTS_MAX_AGE=0   # a comment
NGINX_SERVER_NAME='a$b "c"'
APP_HOST=app
NGINX_UPSTREAM="http://\${APP_HOST}:8080"
TZ=Asia/Tokyo
CERTBOT_EAB_HMAC_KEY=secret
CERTBOT_DOMAIN="demo.test,www.demo.test
shop.test"
`;

let stack: Stack;
afterEach(() => stack?.remove());
tellOnFailure(() => stack);

test("nginx serves a key of mode 0600 in another user's folders, from an empty cache folder, with five capabilities", async () => {
  stack = await createStack({ override: "services: { nginx: { tmpfs: [/var/cache/nginx] } }" });
  const { certificatePem, keyPem } = await makeTestCertificate(["DNS:demo.test"]);
  const live = stack.conf("live/demo.test");
  await mkdir(live, { recursive: true, mode: 0o700 });
  await writeFile(join(live, "fullchain.pem"), certificatePem, { mode: 0o600 });
  await writeFile(join(live, "privkey.pem"), keyPem, { mode: 0o600 });
  const paths = await readdir(stack.conf(), { recursive: true });
  for (const path of ["", ...paths]) await lchown(stack.conf(path), OWNER, OWNER);

  expect(await stack.plainCompose("up", "-d", "nginx")).toMatchObject({ code: 0 });
  const served = await until("nginx serves HTTPS", () => servedLeaf(stack));
  expect(served.fingerprint256).toBe(new X509Certificate(certificatePem).fingerprint256);
  const { stdout: status } = await inNginx("cat", "/proc/1/status");
  expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
  const masks = [...status.matchAll(/^Cap(Eff|Prm|Bnd):\s*([0-9a-f]+)$/gm)].map(([, set, mask = ""]) => [
    set,
    bitsOf(mask),
  ]);
  expect(Object.fromEntries(masks)).toEqual({ Eff: CAPABILITIES, Prm: CAPABILITIES, Bnd: CAPABILITIES });
  expect(await inNginx("nginx", "-s", "reload")).toMatchObject({ code: 0 });
});

test("where nginx may not read the key, the failure and status say so, and what to give", async () => {
  const override = "services: { nginx: { cap_add: !override [SETUID, SETGID, CHOWN, NET_BIND_SERVICE] } }";
  stack = await createStack({ override });
  for (const path of ["", ...(await readdir(stack.conf(), { recursive: true }))])
    await lchown(stack.conf(path), OWNER, OWNER);
  await stack.up();
  const words =
    /its self-signed placeholder for demo\.test: .*can't be read: root in nginx's container may not read .* DAC_OVERRIDE/;
  const { code, stderr } = await stack.certbot("update-cert");
  expect(code).toBe(1);
  expect(stderr).toMatch(words);
  expect((await stack.certbot("status")).stdout).toMatch(words);
});

test("nginx has the values that the sidecar has, from .env, --env-file and an exported variable, and none of its secrets", async () => {
  stack = await createStack({ env: { CERTBOT_DOMAIN: "" } });
  await appendFile(join(stack.folder, ".env"), ENV_LINES);
  const { nginx, certbot } = await created();
  expect(nginx).toMatchObject({
    CERTBOT_DOMAIN: "demo.test,www.demo.test\nshop.test",
    NGINX_HSTS_MAX_AGE: "0",
    NGINX_SERVER_NAME: 'a$b "c"',
    NGINX_UPSTREAM: "http://app:8080",
    NGINX_PORT: "",
    TZ: "Asia/Tokyo",
  });
  const known = Object.keys(nginx).filter((name) => /^(CERTBOT|APP)_/.test(name));
  expect(known.sort()).toEqual(["CERTBOT_DEPLOY", "CERTBOT_DOMAIN"]);
  expect(pick(certbot, nginx)).toEqual(pick(nginx, certbot));

  const domains = ({ nginx, certbot }: Environments) => [nginx["CERTBOT_DOMAIN"], certbot["CERTBOT_DOMAIN"]];
  await writeFile(join(stack.folder, "other.env"), `CERTBOT_DOMAIN=other.test\nCERT_SIDECAR_IMAGE=${SIDECAR_IMAGE}\n`);
  const other = await created(`--env-file ${join(stack.folder, "other.env")}`);
  expect(domains(other)).toEqual(["other.test", "other.test"]);
  expect(domains(await created("", "CERTBOT_DOMAIN=exported.test"))).toEqual(["exported.test", "exported.test"]);
});

type Environments = Readonly<Record<"nginx" | "certbot", Readonly<Record<string, string>>>>;

/** The environments of both containers, made by docker compose with these options and exported variables. */
async function created(options = "", exported = ""): Promise<Environments> {
  const place = `-f ${ROOT}docker-compose.yml --project-directory ${stack.folder} -p ${stack.project}`;
  const create = "--profile certbot create --no-build --force-recreate nginx certbot";
  expect(await stack.shell(`${exported} docker compose ${place} ${options} ${create}`)).toMatchObject({ code: 0 });
  const [nginx, certbot] = await Promise.all(
    ["nginx", "certbot"].map(async (service) => {
      const lines: readonly string[] = JSON.parse(await stack.inspect(service, "{{json .Config.Env}}"));
      return Object.fromEntries(lines.map((line) => [line.replace(/=.*/s, ""), line.replace(/^[^=]*=/, "")]));
    }),
  );
  return { nginx: nginx ?? {}, certbot: certbot ?? {} };
}

/** The settings in `of` that are in `also`, too. */
function pick(of: Environments["nginx"], also: Environments["nginx"]) {
  return Object.fromEntries(
    Object.entries(of).filter(([name]) => name in also && /^(CERTBOT|EXPOSE|NGINX)_|^TZ$/.test(name)),
  );
}

const inNginx = (...command: readonly string[]) => stack.plainCompose("exec", "-T", "nginx", ...command);

/** Which bits a mask of the kernel's has. */
function bitsOf(mask: string): number[] {
  const bits = BigInt(`0x${mask}`);
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (bits >> BigInt(bit)) & 1n);
}
