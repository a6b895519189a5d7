import { generateKeyPairSync } from "node:crypto";
import { readdir } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createCertificateAuthority } from "../../../src/acme/index.ts";
import { accountIdOf, OperatorError } from "../../../src/certificate/index.ts";
import { createWebrootSolvers } from "../../../src/challenge/index.ts";
import type { ChallengeSolver } from "../../../src/ports/index.ts";
import { createAccountStore } from "../../../src/store/index.ts";
import { collectLog } from "../../support/collected-log.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { networkOf } from "../../support/network.ts";
import { problemAnswer, type ScriptedAnswer, type ScriptedCa, startScriptedCa } from "../../support/scripted-ca.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { byWebroot } from "../../support/challenges.ts";

const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const URN = "urn:ietf:params:acme:error:";

let server: ScriptedCa;
beforeAll(async () => {
  server = await startScriptedCa();
});
beforeEach(() => server.forget());
afterAll(() => server.stop());

type Outcome = {
  readonly status?: string;
  readonly challenge?: string;
  readonly error?: object;
  readonly validationRecord?: unknown;
};

/** What else may be odd. */
type Oddity = {
  /** Whose authorizations the CA asks for; of the one name that is ordered when left out. */
  readonly names?: readonly string[];
  /** The CA's answer to being told to look; it shows the challenge when left out. */
  readonly answer?: ScriptedAnswer;
  readonly solver?: Partial<ChallengeSolver>;
  /** How long its proof takes to be seen. */
  readonly waitMs?: number;
};

/** Orders a name at a CA that, once told to look, shows its challenge and authorization like this. */
async function prove(
  { status = "invalid", challenge: state = "invalid", ...shown }: Outcome,
  { names = ["a.test"], answer, solver, waitMs = 0 }: Oddity = {},
): Promise<OperatorError> {
  const challenge = { type: "http-01", url: `${server.origin}/challenge`, token: "token", status: "pending" };
  const authorization = (name = "a.test") => ({
    identifier: { type: "dns", value: name },
    status: "pending",
    challenges: [challenge],
  });
  const decided = { ...authorization(), status, challenges: [{ ...challenge, status: state, ...shown }] };
  const order = {
    status: "pending",
    authorizations: names.map((_, index) => `${server.origin}/authz${index || ""}`),
    finalize: `${server.origin}/finalize`,
  };
  const clock = instantClock();
  let isTold = false;
  server.answerPosts(({ path }) => {
    if (path === "/newOrder") return { status: 201, headers: { Location: `${server.origin}/order` }, body: order };
    if (path === "/challenge") isTold = true;
    if (path === "/challenge") return answer ?? { status: 200, body: challenge };
    return { status: 200, body: isTold ? decided : authorization(names[Number(path.slice("/authz".length))]) };
  });
  const accounts = createAccountStore({ root: await temporaryFolder() });
  const account = { id: accountIdOf(KEY), privateKeyPem: KEY, url: `${server.origin}/account` };
  await accounts.save(server.directoryUrl, account, { createdAt: clock.now() });
  const webrootPath = await temporaryFolder();
  const authority = createCertificateAuthority({
    accounts,
    solverFor: () => {
      const webroot = createWebrootSolvers({ front: { httpUrl: async () => undefined }, clock }).with(webrootPath);
      const selfCheck: ChallengeSolver["selfCheck"] = async (proof, signal) => {
        await clock.sleep(waitMs, signal);
        return webroot.selfCheck(proof, signal);
      };
      return { ...webroot, selfCheck, ...solver };
    },
    clock,
    ...networkOf(server.caPem),
    lookUpCaa: async (name) => (name === "test" ? [{ flags: 0, tag: "issue", value: "other-ca.test" }] : []),
  });
  const request = {
    lineage: "a.test",
    identifiers: [{ type: "dns", value: "a.test" }],
    keyType: "ecdsa-p256",
    directoryUrl: server.directoryUrl,
    challenges: byWebroot(webrootPath),
    account: "stored",
  } as const;
  const thrown: unknown = await authority
    .issue(request, collectLog(), new AbortController().signal)
    .catch((error: unknown) => error);
  // Whatever comes of it, nothing is left in the webroot where it can be removed.
  expect(await readdir(webrootPath)).toEqual(solver?.cleanUp ? [".well-known"] : []);
  if (thrown instanceof OperatorError) return thrown;
  throw new Error("no OperatorError was thrown", { cause: thrown });
}

const detail = "2001:db8::1: Invalid response from http://a.test/.well-known/acme-challenge/token: 404";

test("a failed validation tells whom the CA asked, and which AAAA record is suspect", async () => {
  const error = await prove({
    error: { type: `${URN}unauthorized`, detail, status: 403 },
    validationRecord: [
      {
        url: "http://a.test/.well-known/acme-challenge/token",
        hostname: "a.test",
        port: "80",
        addressesResolved: ["203.0.113.5", "2001:db8::1"],
        addressUsed: "2001:db8::1",
      },
    ],
  });
  expect(error).toMatchObject({ code: "ACME_CHALLENGE_WRONG_ANSWER", origin: "proof", retry: "next-run" });
  expect(error.message).toContain(`a.test: ${detail} (it asked 2001:db8::1 port 80; a.test also has 203.0.113.5`);
  expect(error.remedy).toContain("AAAA record 2001:db8::1");
  expect(error.unverified).toEqual([{ type: "dns", value: "a.test" }]);
});

const seen = { message: "nginx answered 403: /var/www/html has mode 0700", remedy: "Run chmod o+rx on it." };

test("what was seen from here before the CA looked is told with its refusal, and what to do is about that", async () => {
  const error = await prove(
    { error: { type: `${URN}unauthorized`, detail } },
    { solver: { selfCheck: async () => seen } },
  );
  expect(error.message).toBe(`The CA could not verify a.test: ${detail} (seen from here before: ${seen.message})`);
  expect(error).toMatchObject({ code: "ACME_CHALLENGE_WRONG_ANSWER", remedy: seen.remedy });
});

test("where the CA could not connect, or nobody could be asked from here, what to do is about what the CA says", async () => {
  const selfCheck = async () => seen;
  const closed = await prove(
    { error: { type: `${URN}connection`, detail: "Timeout during connect" } },
    { solver: { selfCheck } },
  );
  expect(closed.remedy).toMatch(/^Open port 80/);
  const unseen = await prove({ error: { type: `${URN}unauthorized`, detail } });
  expect(unseen.message).toBe(`The CA could not verify a.test: ${detail}`);
});

test("a record that makes no sense takes nothing away from the failure", async () => {
  const error = await prove({ error: { type: `${URN}unauthorized`, detail }, validationRecord: { hostname: 7 } });
  expect(error.message).toBe(`The CA could not verify a.test: ${detail}`);
});

test("CAA that forbids the CA is shown with its record", async () => {
  const error = await prove({ error: { type: `${URN}caa`, detail: "CAA record for test prevents issuance" } });
  expect(error.code).toBe("ACME_CAA");
  expect(error.message).toContain('(CAA record found at test: 0 issue "other-ca.test")');
});

test("an authorization that was taken back is no name that the CA could not verify", async () => {
  const error = await prove({ status: "deactivated" });
  expect(error.message).toContain("its authorization is deactivated");
  expect(error.unverified).toEqual([]);
});

test.each([
  ["has decided on is not given up: that would be refused, or take a name away", "invalid", []],
  ["leaves pending is given up, since it counts", "pending", ["/authz"]],
])("an authorization that the CA %s", async (_, status, givenUp) => {
  await prove({ status, error: { type: `${URN}unauthorized`, detail } });
  const posts = server.posts().filter(({ payload }) => isDeepStrictEqual(payload, { status: "deactivated" }));
  expect(posts.map(({ path }) => path)).toEqual(givenUp);
});

test("a challenge that has an error and waits to be asked again, as step-ca's, has failed", async () => {
  const error = await prove({ status: "pending", challenge: "pending", error: { type: `${URN}connection`, detail } });
  expect(error.message).toContain(`a.test: ${detail}`);
  expect(error.unverified).toHaveLength(1);
});

const hasSentCsr = () => server.posts().some(({ path }) => path === "/finalize");
const fail = () => Promise.reject(new Error("the disk fails"));

test.each<[string, Oddity]>([
  ["a self-check that fails", { solver: { selfCheck: fail } }],
  ["a proof that can't be removed", { solver: { cleanUp: fail } }],
  ["a look that the CA has had already", { answer: problemAnswer(400, "malformed", "it is valid already") }],
])("%s keeps no order from going on", async (_, oddity) => {
  await prove({ status: "valid", challenge: "valid" }, oddity);
  expect(hasSentCsr()).toBe(true);
});

test("a look that the CA refuses for good is the failure that is told", async () => {
  const refusal = problemAnswer(403, "unauthorized", "the account may not");
  const error = await prove({ status: "pending", challenge: "pending" }, { answer: refusal });
  expect(error.message).toContain("the account may not");
  expect(hasSentCsr()).toBe(false);
});

test.each([
  ["a name that was not ordered", ["evil.test"], "evil.test, which was not ordered"],
  ["more names than were ordered", ["a.test", "a.test"], "2 authorizations for one name"],
])("a CA that wants proof of %s gets none", async (_, names, words) => {
  const error = await prove({ status: "valid", challenge: "valid" }, { names });
  expect(error.code).toBe("ACME_UNEXPECTED_ANSWER");
  expect(error.message).toContain(words);
  expect(server.posts().filter(({ path }) => path === "/challenge")).toEqual([]);
});

test("an order has its five minutes for the CA, however long its proof takes to be seen", async () => {
  const error = await prove({ error: { type: `${URN}unauthorized`, detail, status: 403 } }, { waitMs: 20 * 60_000 });
  expect(error.code).toBe("ACME_CHALLENGE_WRONG_ANSWER");
});
