import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parse } from "dotenv";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/system/index.ts";
import { createEngine } from "../../../src/target/docker/engine.ts";
import { SAYS_COMMAND } from "../../../src/target/nginx-files.ts";
import { OFF_COMMAND } from "../../../src/target/nginx-off.ts";
import { STEP_AND_TEST_COMMAND } from "../../../src/target/nginx-commands.ts";
import { execRequest, filesRequest } from "../../support/exec-request.ts";
import { answer, startFakeEngine } from "../../support/fake-engine.ts";
import { REFUSED_CALLS } from "../../support/refused-calls.ts";

const NEVER = new AbortController().signal;
const ID = "a".repeat(64);

const read = (file: string) =>
  readFileSync(new URL(`../../../docs/examples/socket-proxy/${file}`, import.meta.url), "utf8");

const beginOf = (request: string, word: string) => request.slice(0, request.indexOf(`,"${word}"`));

test("haproxy.cfg knows the long commands that ask nginx, by the SHA-256 of their requests", () => {
  const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
  // Of those with words behind them the beginning alone is always the same.
  const test = beginOf(execRequest([...STEP_AND_TEST_COMMAND, "step"]), "step");
  const files = beginOf(filesRequest("/etc/a.pem"), "/etc/a.pem");
  const rules = read("haproxy.cfg");
  const hashes = [test, execRequest(SAYS_COMMAND), execRequest(OFF_COMMAND), files].map(hashOf);
  expect(rules.match(/\b[0-9a-f]{64}\b/g)).toEqual(hashes);
  for (const begin of [test, files]) {
    expect(rules).toContain(`bytes(0,${Buffer.byteLength(begin)})`);
    expect(rules).toContain(`bytes(${Buffer.byteLength(begin)})`);
  }
});

test("the two files differ in what they let be done, and in nothing else", () => {
  const common = (file: string) =>
    read(file)
      .split("\n")
      .filter(
        (line) =>
          !/METH_POST [{e]|\/exec\/|^ +acl (steps|lineages|runs|asks|files|execs)|bufsize|http-buffer-request|^ *#|^$/.test(
            line,
          ),
      );
  expect(common("haproxy-signal.cfg")).toEqual(common("haproxy.cfg"));
});

test("the rules for wollomatic's proxy let through what a deploy to nginx asks, and nothing that none may", async () => {
  const rules = parse(read("wollomatic.env"));
  // It puts ^ and $ around a rule, and sees the path without its query.
  const isAllowed = (call: string) => {
    const [method = "", path = ""] = call.split(" ");
    const rule = rules[`SP_ALLOW_${method}`];
    return rule !== undefined && new RegExp(`^${rule}$`).test(new URL(path, "http://engine").pathname);
  };
  const requests = await requestsOfADeploy();
  expect(requests.filter((call) => !isAllowed(call))).toEqual([]);
  // Nothing is allowed that isn't asked.
  const alternatives = ["GET", "POST"].flatMap((method) =>
    (rules[`SP_ALLOW_${method}`] ?? "")
      .slice(1, -1)
      .split("|")
      .map((rule) => ({ method, rule })),
  );
  const idle = alternatives.filter(
    ({ method, rule }) => !requests.some((call) => new RegExp(`^${method} ${rule}$`).test(call)),
  );
  expect(idle.map(({ rule }) => rule)).toEqual(["/_ping", "/version"]);
  expect(REFUSED_CALLS.filter(isAllowed)).toEqual([]);
});

async function requestsOfADeploy(): Promise<readonly string[]> {
  const fake = await startFakeEngine((path, response) => {
    if (path.endsWith("/exec")) return answer(response, { Id: ID }, 201);
    return answer(response, path === "/containers/json" ? [] : { Running: false, ExitCode: 0, Config: {} });
  });
  onTestFinished(() => fake.close());
  const timeouts = { callMs: 10_000, execMs: 10_000 };
  const engine = createEngine({ docker: fake.address, clock: systemClock, timeouts });
  await engine.list([], NEVER);
  // What is missing in the answer to these doesn't matter.
  await engine.inspect(ID, NEVER).catch(() => undefined);
  await engine.imageLabels(`sha256:${ID}`, NEVER);
  await engine.exec({ id: ID, name: "nginx" }, ["nginx", "-t"], NEVER);
  (await engine.openEvents({ actions: [], labels: [] }, NEVER))[Symbol.dispose]();
  return [...fake.requests];
}
