import { createHash } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { takePaths } from "../../src/app/paths.ts";
import { buildProgram, type Program } from "../../src/app/build.ts";
import type { Policy } from "../../src/reconcile/index.ts";
import { collectLog } from "../support/collected-log.ts";
import { answer, startFakeEngine } from "../support/fake-engine.ts";
import { startHttpsServer } from "../support/https-server.ts";
import { configOf } from "../support/read-config.ts";

const KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

function programOf(environment: Readonly<Record<string, string>>): Program {
  const config = configOf({ CERTBOT_DOMAIN: "a.test", ...environment });
  return buildProgram(config, { paths: takePaths([]).paths, log: collectLog(), version: "0" });
}

const policyOf = (environment: Readonly<Record<string, string>>): Policy => programOf(environment).parts.policy;

test("--no-verify-ssl is for the CA alone: what an operator's token is sent to must prove who it is", async () => {
  const server = await startHttpsServer();
  onTestFinished(() => server.stop());
  const { tools, parts } = programOf({
    CERTBOT_OPTIONS: "--no-verify-ssl",
    CERTBOT_SERVER: `${server.origin}/directory`,
  });
  const request = { url: server.origin, method: "GET", headers: {}, timeoutMs: 30_000 };
  const { signal } = new AbortController();
  await expect(tools.http(request, signal)).rejects.toThrow("unable to verify the first certificate");
  expect(server.requests).toEqual([]);
  await parts.ca.isAnswering(`${server.origin}/directory`, signal);
  expect(server.requests.map(({ path }) => path)).toContain("/directory");
});

test("services that CERTBOT_DEPLOY names are asked of the engine; one alone of the other ways asks none", async () => {
  const engine = await startFakeEngine((_path, response) => answer(response, []));
  onTestFinished(() => engine.close());
  const find = async (CERTBOT_DEPLOY: string) => {
    const program = programOf({ CERTBOT_DEPLOY, DOCKER_HOST: `unix://${engine.socketPath}` });
    const { targets, missing } = await program.deployment.targets.find(new AbortController().signal);
    return [...targets, ...missing].map(({ name }) => name);
  };
  expect(await find("verify:127.0.0.1:1")).toEqual(["127.0.0.1:1"]);
  expect(engine.requests).toEqual([]);
  // Here no container is our own, and so no project.
  expect(await find("verify:127.0.0.1:1 service:web service:shop/front service:shop/mail")).toEqual([
    "127.0.0.1:1",
    "web",
    "shop/front",
    "shop/mail",
  ]);
  expect(engine.requests).toContain("GET /containers/json");
});

describe("what the settings ask for", () => {
  test("reaches reconcile whole", () => {
    const policy = policyOf({
      CERTBOT_FALLBACK_SERVER: "zerossl",
      CERTBOT_EAB_KID: "kid",
      CERTBOT_EAB_HMAC_KEY: KEY,
      CERTBOT_FALLBACK_EAB_KID: "kid-2",
      CERTBOT_FALLBACK_EAB_HMAC_KEY: KEY,
      CERTBOT_PROFILE: "tlsserver",
      CERTBOT_OPTIONS: "--preferred-chain 'ISRG Root X1' --reuse-key",
    });
    expect(policy).toMatchObject({
      fallbackDirectoryUrl: "https://acme.zerossl.com/v2/DV90",
      externalAccount: { keyId: "kid", hmacKey: KEY },
      fallbackExternalAccount: { keyId: "kid-2", hmacKey: KEY },
      profile: { name: "tlsserver", isRequired: true },
      preferredChain: "ISRG Root X1",
      reuseKey: true,
    });
    expect(policy.isPublicCa(policy.directoryUrl)).toBe(true);
  });

  test("has a digest of its own for each change that could make an order succeed", () => {
    const account = { CERTBOT_EAB_KID: "kid", CERTBOT_EAB_HMAC_KEY: KEY };
    const changes: Record<string, string>[] = [
      {},
      { CERTBOT_SERVER: "zerossl" },
      { CERTBOT_FALLBACK_SERVER: "zerossl" },
      account,
      { ...account, CERTBOT_EAB_KID: "other" },
      { ...account, CERTBOT_EAB_HMAC_KEY: `${KEY}AA` },
      { CERTBOT_PROFILE: "tlsserver" },
      { CERTBOT_OPTIONS: "--preferred-profile tlsserver" },
      { CERTBOT_OPTIONS: "--preferred-chain X" },
      { CERTBOT_OPTIONS: "--reuse-key" },
      { CERTBOT_WEBROOT_PATH: "/srv" },
      { CERTBOT_OPTIONS: "--no-reuse-key" },
    ];
    const digests = changes.map((change) => policyOf(change).settingsDigest);
    expect(new Set(digests).size).toBe(changes.length);
    expect(digests.join()).not.toContain(KEY);
    expect(policyOf({}).settingsDigest).toBe(digests[0]);
  });

  test("has the digest of the version before where none of its new settings is used", () => {
    const { wanted, directoryUrl } = configOf({ CERTBOT_DOMAIN: "a.test" });
    const before = JSON.stringify({
      wanted,
      directoryUrl,
      keyType: "ecdsa-p256",
      webrootPath: "/var/www/html",
      verifyTls: true,
    });
    const digest = createHash("sha256").update(before).digest("base64url");
    expect(policyOf({}).settingsDigest).toBe(digest);
  });
});
