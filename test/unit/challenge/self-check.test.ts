import { chmod, mkdir } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { createWebrootSolvers } from "../../../src/challenge/index.ts";
import type { ChallengeProof } from "../../../src/ports/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { instantClock } from "../../support/instant-clock.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const PROOF: ChallengeProof = {
  identifier: { type: "dns", value: "a.test" },
  token: "the-token",
  keyAuthorization: "the-token.thumbprint",
};
const signal = new AbortController().signal;

async function listen(answer: RequestListener, port = 0): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port: taken } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${taken}`, port: taken, server };
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const { server, port } = await listen(() => undefined);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Checks once against a server that answers this way. */
async function check(answer: RequestListener, proof = PROOF) {
  const { url } = await listen(answer);
  const finding = await solverAt(url).selfCheck(proof, signal);
  return { url, finding };
}

function solverAt(url: string | undefined, selfCheckTimeoutMs = 5000, clock = systemClock) {
  return createWebrootSolvers({ front: { httpUrl: async () => url }, clock, selfCheckTimeoutMs }).with("/var/www/html");
}

describe("the look at a challenge file before the CA looks", () => {
  test("asks nginx for the file with the name's Host header, and is content", async () => {
    const asked: (string | undefined)[] = [];
    const { finding } = await check((request, response) => {
      asked.push(request.headers.host, request.url);
      response.end("the-token.thumbprint\n");
    });
    expect(finding).toBeUndefined();
    expect(asked).toEqual(["a.test", "/.well-known/acme-challenge/the-token"]);
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "[2001:db8::1]"],
  ])("asks for the address %s as a browser would", async (value, host) => {
    const { finding } = await check((request, response) => void response.end(`${request.headers.host === host}`), {
      ...PROOF,
      identifier: { type: "ip", value },
      keyAuthorization: "true",
    });
    expect(finding).toBeUndefined();
  });

  test.each([301, 302, 307, 308])("lets a redirect (%i) pass, since the CA follows it", async (status) => {
    const { finding } = await check(
      (_request, response) => void response.writeHead(status, { Location: "https://a.test/" }).end(),
    );
    expect(finding).toBeUndefined();
  });

  test("says that nginx doesn't see the webroot", async () => {
    const { url, finding } = await check((_request, response) => void response.writeHead(404).end());
    expect(finding?.message).toBe(
      `nginx at ${url} answered 404 for the challenge of a.test: it doesn't see /var/www/html, or a server of your own has this name and doesn't serve it`,
    );
    expect(finding?.remedy).toMatch(/^Mount the same folder at \/var\/www\/html/);
  });

  test.each([
    [403, "", /a rule of its own forbids it, most often .*\(location ~ \/\\\.\)$/],
    [401, "", /asks for a password/],
    [502, "", /upstream that fails/],
    [200, "<html>\n  <h1>My shop</h1>", /something else .*"<html> <h1>My shop<\/h1>"/],
    [200, "the-token.other", /something else .*"the-token\.other"/],
  ])("says what a wrong answer (%i %j) means", async (status, body, words) => {
    const { finding } = await check((_request, response) => void response.writeHead(status).end(body));
    expect(finding?.message).toMatch(words);
    expect(finding?.remedy).toMatch(/^[A-Z].*\.$/);
  });

  test.each([".", ".well-known", ".well-known/acme-challenge"])(
    "says that the folder %s is closed to nginx",
    async (name) => {
      const webroot = await temporaryFolder();
      await mkdir(join(webroot, ".well-known/acme-challenge"), { recursive: true });
      await chmod(webroot, 0o755);
      await chmod(join(webroot, name), 0o700);
      const { url } = await listen((_request, response) => void response.writeHead(403).end());
      const front = { httpUrl: async () => url };
      const finding = await createWebrootSolvers({ front, clock: systemClock }).with(webroot).selfCheck(PROOF, signal);
      expect(finding?.message).toMatch(new RegExp(`, as ${join(webroot, name)} has the mode 0700$`));
      expect(finding?.remedy).toContain("chmod o+rx");
    },
  );

  test("reads no more of a wrong answer than it shows", async () => {
    const { finding } = await check((_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(4096)));
      };
      response.on("drain", more).writeHead(200);
      more();
    });
    expect(finding?.message).toMatch(/"x{60}"$/);
  });
});

describe("a server that is not there yet", () => {
  test("is waited for", async () => {
    const port = await freePort();
    const checking = solverAt(`http://127.0.0.1:${port}`).selfCheck(PROOF, signal);
    await sleep(100);
    await listen((_request, response) => void response.end("the-token.thumbprint"), port);
    await expect(checking).resolves.toBeUndefined();
  });

  test("is told when it doesn't come", async () => {
    const port = await freePort();
    const clock = instantClock();
    const finding = await solverAt(`http://127.0.0.1:${port}`, 10_000, clock).selfCheck(PROOF, signal);
    expect(finding?.message).toContain(`nginx at http://127.0.0.1:${port} can't be reached`);
    expect(finding?.remedy).toContain("Start nginx");
    expect(clock.slept.length).toBeGreaterThan(30);
  });

  test("or hangs, costs no more than the time limit", async () => {
    const { url } = await listen(() => undefined);
    const finding = await solverAt(url, 200).selfCheck(PROOF, signal);
    expect(finding?.message).toContain("did not answer in time");
  });

  test("is no longer waited for after an abort", async () => {
    const { url } = await listen(() => controller.abort(new Error("stopping")));
    const controller = new AbortController();
    await expect(solverAt(url).selfCheck(PROOF, controller.signal)).rejects.toThrow("stopping");
  });
});

describe("without any front server to ask", () => {
  test("it is waited for a moment and told once, then passed over in silence", async () => {
    const clock = instantClock();
    const solver = solverAt(undefined, 10_000, clock);
    expect((await solver.selfCheck(PROOF, signal))?.message).toContain("no nginx container was found");
    const waitedMs = clock.slept.reduce((sum, ms) => sum + ms, 0);
    expect(waitedMs).toBe(3000);
    expect(await solver.selfCheck(PROOF, signal)).toBeUndefined();
    expect(clock.slept.reduce((sum, ms) => sum + ms, 0)).toBe(waitedMs);
  });

  test("one that appears later is asked again", async () => {
    const { url } = await listen((_request, response) => void response.writeHead(404).end());
    let known: string | undefined;
    const solver = createWebrootSolvers({ front: { httpUrl: async () => known }, clock: instantClock() }).with("/w");
    await solver.selfCheck(PROOF, signal);
    known = url;
    expect((await solver.selfCheck(PROOF, signal))?.message).toContain("404");
  });
});
