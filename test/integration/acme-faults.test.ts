import { readdir } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import { isKeyOf, OperatorError, readLeaf } from "../../src/certificate/index.ts";
import type { IssuedCertificate, OpenOrder } from "../../src/reconcile/index.ts";
import { type AcmeSidecar, acmeStage, dns, freshName, makeSidecar } from "../support/acme-stage.ts";
import { collectLog } from "../support/collected-log.ts";
import { type Fault, type FaultProxy, startFaultProxy, type Step, STEPS } from "../support/fault-proxy.ts";
import {
  answering,
  answeringLate,
  answeringTwice,
  babbling,
  cutting,
  cuttingInTheBody,
  dripping,
  floodingBody,
  floodingHeaders,
  floodingInterimAnswers,
  hanging,
  hangingInTheBody,
  rateLimiting,
  withHeaders,
} from "../support/faults.ts";
import { hurriedClock } from "../support/hurried-clock.ts";

const REQUEST_TIMEOUT_MS = 3000;
// Three tries of a request that hangs, and as many to give its authorization up; a busy machine takes its time.
const LONGEST_MS = 60_000;

const HTML = { "Content-Type": "text/html" };

const NO_ANSWER: Readonly<Record<string, Fault>> = {
  "no answer at all": hanging,
  "a connection cut before the answer": cutting,
};

const FAILING: Readonly<Record<string, Fault>> = {
  "503 without a time": answering(503, ""),
  "500 with a page": answering(500, "<html><h1>Internal Server Error</h1></html>", HTML),
};

/** Faults of a line or a server that are over after a moment: an order must survive each of them. */
const PASSING: Readonly<Record<string, Fault>> = {
  ...NO_ANSWER,
  ...FAILING,
  "silence in the middle of the answer": hangingInTheBody,
  "an answer that drips": dripping,
  "a connection cut in the middle of the answer": cuttingInTheBody,
  "an answer that comes too late": answeringLate(REQUEST_TIMEOUT_MS + 100),
  "an answer that comes twice": answeringTwice,
};

const PATIENCE: Readonly<Record<string, Fault>> = {
  "429 with seconds": rateLimiting(() => ({ "Retry-After": "3600" })),
  "429 with a date": rateLimiting(() => ({ "Retry-After": new Date(Date.now() + 3600_000).toUTCString() })),
  "503 with seconds": answering(503, "", { "Retry-After": "3600" }),
};

const NONSENSE: Readonly<Record<string, Fault>> = {
  "429 without a time": rateLimiting(),
  "JSON that breaks off": answering(200, '{"status": "val'),
  "JSON that is no object": answering(200, "null"),
  "JSON of another kind": answering(200, '{"status": 7, "authorizations": "none", "newNonce": [], "type": {}}'),
  "a page with 200": answering(200, "<html><h1>Welcome</h1></html>", HTML),
  "204": answering(204, "", {}),
  "a redirect to itself": ({ path, response }) => void response.writeHead(307, { Location: path }).end(),
  "something that is no HTTP": babbling,
  "headers without end": floodingHeaders().fault,
  "a body without end": floodingBody({ "Transfer-Encoding": "chunked" }).fault,
};

/** Answers of the CA that aren't quite right: an order may survive them. */
const ODD: Readonly<Record<string, Fault>> = {
  "answers without a nonce": withHeaders({ "replay-nonce": "" }),
  "answers with an old nonce": withHeaders({ "replay-nonce": "b2xkIGFuZCB1c2Vk" }),
  "answers of the wrong type": withHeaders({ "content-type": "text/plain" }),
};

/** Everything that may be wrong for as long as it likes. */
const LASTING = { ...NO_ANSWER, ...FAILING, ...PATIENCE, ...NONSENSE, ...ODD };

const stage = acmeStage({ authorizationReusePercent: 0 });
const ORDER_STEPS = STEPS.filter((step) => step !== "renewalInfo");
// From here on the CA knows of a proof, and can be told that it is no longer needed.
const PROVEN_STEPS: readonly Step[] = STEPS.slice(STEPS.indexOf("challenge"));
const proxies = new Map<Step, FaultProxy>();

beforeAll(async () => {
  await Promise.all(STEPS.map(async (step) => proxies.set(step, await startFaultProxy(stage.pebble))));
  return () => Promise.all([...proxies.values()].map((proxy) => proxy.stop()));
});

/** A sidecar, and its line to the CA on which one step is faulty. */
type Client = { readonly step: Step; readonly proxy: FaultProxy; readonly sidecar: AcmeSidecar };

async function connect(
  step: Step,
  fault: Fault,
  { times = Infinity, requestTimeoutMs = REQUEST_TIMEOUT_MS } = {},
): Promise<Client> {
  const proxy = proxies.get(step);
  if (proxy === undefined) throw new Error("the lines are laid in beforeAll");
  proxy.forget();
  proxy.inject(step, fault, times);
  // A CA that has not heard that a proof is there is waited for in vain, and there is no need to watch that for long.
  const authority = { clock: hurriedClock(), requestTimeoutMs, orderTimeoutMs: 20_000 };
  const parts = { ca: proxy, webUrl: "http://127.0.0.1:9", authority };
  return { step, proxy, sidecar: await makeSidecar(parts, () => ({ selfCheck: async () => undefined })) };
}

type Ending = Client & {
  readonly ms: number;
  readonly endedAt: Date;
  readonly outcome: IssuedCertificate | OperatorError;
};

/** Places an order, and gives how it ended; whatever isn't an operator's error is thrown on. */
async function order(client: Client): Promise<Ending> {
  const startedAt = performance.now();
  const request = stage.request(dns(freshName()), { directoryUrl: client.proxy.directoryUrl });
  const outcome = await client.sidecar.issue(request).catch((error: unknown) => {
    if (error instanceof OperatorError) return error;
    throw new Error(`at ${client.step}`, { cause: error });
  });
  return { ...client, ms: performance.now() - startedAt, endedAt: new Date(), outcome };
}

/** Lets one order per step meet a fault there, all at the same time. */
async function meet(fault: Fault, times = Infinity): Promise<Ending[]> {
  const clients = await Promise.all(ORDER_STEPS.map((step) => connect(step, fault, { times })));
  return Promise.all(clients.map(order));
}

/** What failed, in words. */
function failures(endings: readonly Ending[]): string[] {
  return endings.flatMap(({ step, outcome }) =>
    outcome instanceof OperatorError ? [`${step}: ${outcome.code} ${outcome.message}`] : [],
  );
}

/** The authorizations of which the CA said last that they are pending. */
function pendingAuthorizations({ passed }: FaultProxy): string[] {
  const last = new Map(
    passed
      .filter(({ path, status }) => path.startsWith("/authZ/") && status === 200)
      .map(({ path, body }) => [path, (JSON.parse(body) as { status: string }).status]),
  );
  return [...last].filter(([, status]) => status === "pending").map(([path]) => path);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** What is wrong with the end that an order came to: it must be in time and in words, and leave nothing behind. */
function complaints({ step, proxy, ms, outcome }: Ending): string[] {
  const { code, remedy } = outcome instanceof OperatorError ? outcome : { code: "ACME_", remedy: "None." };
  const isPending = PROVEN_STEPS.includes(step) && pendingAuthorizations(proxy).length > 0;
  return [
    ...(ms > LONGEST_MS ? [`${step}: took ${ms} ms`] : []),
    ...(code.startsWith("ACME_") && /^[A-Z][^]*\.$/.test(remedy) ? [] : [`${step}: ${code} ${remedy}`]),
    ...(isPending ? [`${step}: an authorization is pending`] : []),
  ];
}

/** For how many minutes from its end on the CA is to be left alone. */
function holdMinutes({ outcome, endedAt }: Ending): number {
  const retry = outcome instanceof OperatorError ? outcome.retry : undefined;
  return typeof retry === "object" ? Math.round((retry.notBefore.getTime() - endedAt.getTime()) / 60_000) : 0;
}

describe("a fault that passes, at whatever step of an order", () => {
  test.each(Object.entries(PASSING))("%s is survived", async (_name, fault) => {
    expect(failures(await meet(fault, 1))).toEqual([]);
  });
});

describe("a fault that stays, at whatever step of an order", () => {
  test.each(Object.entries(LASTING))(
    "%s ends in time and in words, and the next order succeeds",
    async (_name, fault) => {
      const endings = await meet(fault);
      expect(endings.flatMap(complaints)).toEqual([]);
      for (const { proxy } of endings) proxy.heal();
      expect(failures(await Promise.all(endings.map(order)))).toEqual([]);
      expect(await filesIn(stage.webroot)).toEqual([]);
    },
  );

  test.each(Object.entries(PATIENCE))("%s holds until the time that the CA names", async (_name, fault) => {
    const endings = await meet(fault);
    expect(endings.map(holdMinutes)).toEqual(endings.map(() => 60));
  });

  test("a redirect elsewhere is told, and not followed", async () => {
    const elsewhere = await startFaultProxy(stage.pebble);
    const redirect: Fault = ({ path, response }) =>
      void response.writeHead(308, { Location: new URL(path, elsewhere.directoryUrl).href }).end();
    const endings = await meet(redirect);
    await elsewhere.stop();
    expect(elsewhere.requests()).toBe(0);
    const untold = failures(endings).filter(
      (words) => !words.includes(`redirect to ${new URL(elsewhere.directoryUrl).origin}`),
    );
    expect(untold).toEqual([]);
  });
});

describe("an order that breaks off when the CA has its CSR", () => {
  const { signal } = new AbortController();
  const log = collectLog();
  const BREAKS = { ...NO_ANSWER, ...FAILING, ...PATIENCE };

  /** Places an order that fails at a step, and gives what was kept of it. */
  async function breakOff(step: Step, fault: Fault) {
    const client = await connect(step, fault);
    const { proxy, sidecar } = client;
    const kept: OpenOrder[] = [];
    const request = stage.request(dns(freshName()), {
      directoryUrl: proxy.directoryUrl,
      beforeFinalize: async (open) => void kept.push(open),
    });
    await expect(sidecar.issue(request)).rejects.toBeInstanceOf(OperatorError);
    const [open] = kept;
    if (open === undefined) throw new Error("the order didn't get that far");
    proxy.heal();
    proxy.forget();
    return { ...client, open, request };
  }

  test.concurrent.each(["finalize", "certificate"] as const)(
    "at %s, is gone on with, and no other one is placed",
    async (step) => {
      for (const fault of Object.values(BREAKS)) {
        const { sidecar, proxy, open, request } = await breakOff(step, fault);
        const issued = await sidecar.authority.collect(open, { ...request, mayWait: true }, log, signal);
        expect(issued?.privateKeyPem).toBe(open.privateKeyPem);
        expect(isKeyOf(issued?.certificatePem ?? "", open.privateKeyPem)).toBe(true);
        expect(proxy.passed.filter(({ path }) => path.startsWith("/order-plz"))).toEqual([]);
      }
    },
  );

  test("is given up when it is another account's, or the CA has forgotten it", async () => {
    const { sidecar, open, request } = await breakOff("certificate", cutting);
    const other = await breakOff("certificate", cutting);
    const asked = { ...request, mayWait: true };
    expect(await sidecar.authority.collect({ ...open, url: other.open.url }, asked, log, signal)).toBeUndefined();
    expect(await sidecar.authority.collect({ ...open, url: `${open.url}-not` }, asked, log, signal)).toBeUndefined();
    expect(await sidecar.authority.collect(open, asked, log, signal)).toBeDefined();
  });
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Gives what tells by how much this process has grown since; beyond `limitBytes` what is garbage by then doesn't count. */
function watchMemory(limitBytes: number): () => number {
  const takenBytes = () => {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const [before, residentBefore] = [takenBytes(), process.memoryUsage().rss];
  return () => {
    const grown = process.memoryUsage().rss - residentBefore;
    return grown < limitBytes ? grown : takenBytes() - before;
  };
}

describe("an answer without end", () => {
  const ORDERS = 3;
  const MEGABYTE = 1024 * 1024;

  test.each([
    { where: "in a body of 100 MB", makeFlood: () => floodingBody({ "Content-Length": String(100 * MEGABYTE) }) },
    { where: "in chunks", makeFlood: () => floodingBody({ "Transfer-Encoding": "chunked" }) },
    {
      where: "in what says it is compressed",
      makeFlood: () => floodingBody({ "Transfer-Encoding": "chunked", "Content-Encoding": "gzip" }),
    },
    { where: "in headers", makeFlood: floodingHeaders },
    // They are read and forgotten for as long as a request may take: three times an order.
    { where: "in interim answers", makeFlood: floodingInterimAnswers, sentAtMost: Infinity, requestTimeoutMs: 1000 },
  ])("$where is left off early, and takes no memory", async ({ makeFlood, sentAtMost = 8 * MEGABYTE, ...limits }) => {
    const { fault, sentBytes } = makeFlood();
    const client = await connect("newOrder", fault, limits);
    const grownBytes = watchMemory(48 * MEGABYTE);
    let mostBytes = 0;
    const watch = setInterval(() => (mostBytes = Math.max(mostBytes, grownBytes())), 10);
    const endings: Ending[] = [];
    for (let count = 0; count < ORDERS; count += 1) endings.push(await order(client));
    clearInterval(watch);
    expect(failures(endings)).toHaveLength(ORDERS);
    // What the sender got rid of is what was read and what lies in buffers on the way.
    expect(sentBytes() / ORDERS).toBeLessThan(sentAtMost);
    expect(mostBytes).toBeLessThan(48 * MEGABYTE);
  });
});

describe("what is asked beside orders", () => {
  const { signal } = new AbortController();
  const TEMPORARY = { ...NO_ANSWER, ...FAILING };
  const LONG_TERM = { ...PATIENCE, ...NONSENSE };
  let certificateId: string | undefined;

  /** The name of a certificate of this CA. */
  async function knownCertificate(): Promise<string> {
    if (certificateId !== undefined) return certificateId;
    const { outcome } = await order(await connect("certificate", hanging, { times: 0 }));
    if (outcome instanceof OperatorError) throw outcome;
    return (certificateId = readLeaf(outcome.certificatePem).certificateId ?? "");
  }

  test.each([
    ...Object.entries(TEMPORARY).map(([name, fault]) => ({ name, fault, kind: "temporary" })),
    ...Object.entries(LONG_TERM).map(([name, fault]) => ({ name, fault, kind: "long-term" })),
  ])("$name is a $kind error of the renewal information", async ({ fault, kind }) => {
    const certificate = await knownCertificate();
    const meetAt = async (step: Step) => {
      const { proxy, sidecar } = await connect(step, fault);
      const ask = () => sidecar.authority.renewalInfo(proxy.directoryUrl, certificate, signal);
      expect(await ask()).toEqual({ kind, reason: expect.stringMatching(/^\S.*\S$/) });
      proxy.heal();
      expect(await ask()).toMatchObject({ kind: "window" });
    };
    await Promise.all([meetAt("directory"), meetAt("renewalInfo")]);
  });

  test.each(Object.entries({ ...TEMPORARY, ...LONG_TERM }))("%s is no CA that answers", async (_name, fault) => {
    const meetAt = async (step: Step) => {
      const { proxy, sidecar } = await connect(step, fault);
      const probe = () => sidecar.authority.isAnswering(proxy.directoryUrl, signal);
      expect(await probe()).toBe(false);
      proxy.heal();
      expect(await probe()).toBe(true);
    };
    await Promise.all([meetAt("directory"), meetAt("newNonce")]);
  });
});
