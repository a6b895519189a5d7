import { X509Certificate } from "node:crypto";
import { readdir } from "node:fs/promises";
import { expect } from "vitest";
import { docker } from "../../support/docker-command.ts";
import { daemonAnswers } from "./daemon.ts";
import type { Asked, EngineLine, Moment } from "./engine-line.ts";
import { untilIdle } from "./idle.ts";
import { diskLeaf, leafAt } from "./served.ts";
import { until, type Outcome, type Stack } from "./stack.ts";

/** A row of the fault matrix. */
export type Fault = {
  readonly name: string;
  /** Seconds on a quiet machine, by the moment's side, where nobody waits for the sidecar's own next try. */
  readonly takesS: Readonly<Record<Moment["side"], number>>;
  /** What is to be so before the renewal. */
  readonly prepare?: () => Promise<unknown>;
  readonly apply: () => Promise<unknown>;
  readonly lift: () => Promise<unknown>;
  /** What status says where the newest version is not served. */
  readonly says: RegExp;
  /** When the newest version can't be served meanwhile: in each cell, or in those before nginx is told. In others it may be. */
  readonly isFelt: "always" | "before nginx is told" | "perhaps";
  /** The sidecar gets to know of its end, so that nobody has to ask it for anything. */
  readonly isHeard?: true;
  /** The sidecar can't see what nginx serves. */
  readonly isBlinding?: true;
  /** It ends the sidecar too, with the renewal that is under way. */
  readonly isEnding?: true;
  /** What puts the stack back for the next cell, where lifting the fault doesn't. */
  readonly cleanUp?: () => Promise<unknown>;
};

/** Where a cell is tried. */
export type Ground = {
  readonly stack: Stack;
  readonly line: EngineLine;
  /** Orders that the CA has taken so far. */
  readonly orders: () => Promise<number>;
};

/** What status says where a target is seen to serve something else, or nothing. */
export const NOT_SERVED = /nginx-\d: does NOT serve it: .*/;

// Beside another target nginx is told by itself, alone in one command with its test.
const isReload = ({ command = "" }: Asked) => /^nginx -s reload$|\|\| exit 4 reload /.test(command);

/** The columns. Each is one request of the sidecar's to the engine, which is held there until the fault has been applied. */
export const MOMENTS = {
  // The targets are searched for while the CA works, and the new version is put on disk after that.
  "during issue": { side: "before", is: ({ path }) => path === "/containers/json" },
  "before reload": { side: "before", is: (asked) => isReload(asked) && asked.path.startsWith("/containers/") },
  "during reload": { side: "answered", is: (asked) => isReload(asked) && asked.path.endsWith("/start") },
  // nginx has been told, and the sidecar hears next that it has.
  "before verify": { side: "answered", is: (asked) => isReload(asked) && asked.path.endsWith("/json") },
} as const satisfies Record<string, Moment>;

/** A cell's column, and whether nobody types a command once the fault is lifted: the sidecar's own next try has to do. */
export type When = { readonly moment: keyof typeof MOMENTS; readonly isPatient: boolean };

/** What came of a cell. */
export type Tried = { readonly said: string; readonly orders: number };

/**
 * Tries one cell: the fault is applied at a moment of a forced renewal. Status tells the truth then; and once the fault is
 * lifted the new version is served. Gives what status said meanwhile, and how many orders the CA has taken.
 */
export async function tryCell(ground: Ground, fault: Fault, { moment, isPatient }: When): Promise<Tried> {
  const { stack } = ground;
  await untilIdle(stack);
  await fault.prepare?.();
  const [before, orders] = [await newest(stack), await ground.orders()];
  let isLifted = false;
  try {
    const renewal = await renewDuring(ground, MOMENTS[moment], fault);
    // An order that was cut off by the sidecar's end waits until the renewal is due.
    const isCutOff = fault.isEnding === true && moment === "during issue";
    const after = isCutOff ? [before.number, before.number + 1] : [before.number + 1];
    expect(after).toContain((await newest(stack)).number);
    const { isServed, said } = await statusTellsTruth(stack, fault);
    const isFelt = fault.isFelt === "always" || (fault.isFelt !== "perhaps" && MOMENTS[moment].side === "before");
    if (isFelt) expect({ isServed, said, code: renewal.code }).toMatchObject({ isServed: false, code: 1 });
    await fault.lift();
    isLifted = true;
    const served = () => until("the new version is served", async () => (await isNewestServed(stack)) || undefined);
    if (fault.isHeard || isPatient) await served();
    if (fault.isEnding) await daemonAnswers(stack);
    // Once: whoever has mended something isn't told to try again.
    expect(await stack.certbot("update-cert")).toMatchObject({ code: 0, stderr: "" });
    await served();
    const status = await stack.certbot("status");
    expect({ status, isWell: await isAllWell(stack, status) }).toMatchObject({ isWell: true });
    expect(after).toContain((await newest(stack)).number);
    expect((await diskLeaf(stack)).fingerprint256).toBe((await newest(stack)).fingerprint256);
    return { said: `${isServed ? "served" : "not served"}, "${said}"`, orders: (await ground.orders()) - orders };
  } finally {
    if (!isLifted) await fault.lift();
    await fault.cleanUp?.();
  }
}

/** Renews, whether that is due or not. */
export function renew(stack: Stack): Promise<Outcome> {
  return stack.certbot("update-cert", "--force-renewal");
}

/** The newest version in the archive, whether it is shown or not. */
export async function newest(stack: Stack): Promise<{ readonly number: number; readonly fingerprint256: string }> {
  const names = await readdir(stack.conf("archive/demo.test"));
  const number = Math.max(...names.map((name) => Number(/^fullchain(\d+)\.pem$/.exec(name)?.[1] ?? 0)));
  const pem = await stack.readConf("archive/demo.test", `fullchain${number}.pem`);
  return { number, fingerprint256: new X509Certificate(pem).fingerprint256 };
}

async function renewDuring({ stack, line }: Ground, moment: Moment, { apply }: Fault): Promise<Outcome> {
  const { come, go } = line.hold(moment);
  const renewal = renew(stack);
  const ended = renewal.then(({ stdout, stderr }) => {
    throw new Error(`the renewal has ended before the moment came: ${stdout}${stderr}`);
  });
  try {
    await Promise.race([come, ended]);
    await apply();
  } finally {
    go();
    await renewal;
  }
  return renewal;
}

type Told = { readonly isServed: boolean; readonly said: string };

/**
 * Waits until status says of the newest version what is to be seen from outside, too. It may say less than that where it can't
 * see; never, not even once, that all is well where it isn't.
 */
async function statusTellsTruth(stack: Stack, { says, isBlinding }: Fault): Promise<Told> {
  const told = await until("status says what is to be seen", async () => {
    const isServed = await isNewestServed(stack);
    const status = await stack.certbot("status");
    if ((await isNewestServed(stack)) !== isServed) return undefined;
    const [said] = says.exec(status.stdout) ?? [];
    // A version that was put back is a renewal that has failed in time: no alarm, and the one before is served.
    const isTold = status.code !== 0 || said?.includes("was put back");
    if (!isServed && !isTold) return { isServed, said: status.stdout, isLie: true };
    if (isServed && (await isAllWell(stack, status))) return { isServed, said: "all is well" };
    if (said !== undefined && (!isServed || isBlinding)) return { isServed, said };
    throw new Error(`exit code ${status.code}, ${isServed ? "" : "not "}served:\n${status.stdout}`);
  });
  expect(told).not.toHaveProperty("isLie");
  return told;
}

/** Whether status says so, and of each replica. */
async function isAllWell(stack: Stack, { code, stdout }: Outcome): Promise<boolean> {
  const served = stdout.match(/^ {2}nginx-\d: serves this version$/gm) ?? [];
  return code === 0 && served.length === (await replicas(stack)).length;
}

/** Whether every replica of nginx presents the newest version, to somebody outside. */
async function isNewestServed(stack: Stack): Promise<boolean> {
  // The port is another one after each start.
  const port = `{{with index .NetworkSettings.Ports "443/tcp"}}{{(index . 0).HostPort}}{{else}}0{{end}}`;
  const ports = (await docker("inspect", "-f", port, ...(await replicas(stack)))).split("\n").map(Number);
  const { fingerprint256 } = await newest(stack);
  const looks = ports.map((one) => leafAt(one).then((leaf) => leaf.fingerprint256 === fingerprint256));
  return (await Promise.allSettled(looks)).every((look) => look.status === "fulfilled" && look.value);
}

async function replicas(stack: Stack): Promise<readonly string[]> {
  return (await stack.composeOk("ps", "-a", "-q", "nginx")).trim().split("\n");
}
