import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { docker } from "../support/docker-command.ts";
import { daemonAnswers } from "./support/daemon.ts";
import { rewriteEnv } from "./support/env-file.ts";
import { EngineLine, type Asked, type Moment } from "./support/engine-line.ts";
import { untilIdle } from "./support/idle.ts";
import { diskLeaf, leafAt } from "./support/served.ts";
import { createStack, until, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const LIVE = "/etc/letsencrypt/live/demo.test";
const ARCHIVE = "/etc/letsencrypt/archive/demo.test";

const compose = (nginxVolumes = "") => `services:
  nginx:
    ports: !override ["127.0.0.1::443"]
    volumes: ["./fault.conf:/etc/nginx/conf.d/fault.conf:ro"${nginxVolumes}]
  certbot:
    environment: { DOCKER_HOST: "unix:///engine/engine.sock" }
    volumes: ["./engine:/engine"]
`;

const isReload = ({ command }: Asked) => command === "nginx -s reload";

// Each is one request of the sidecar's to the engine, which is held there until the fault has been applied.
const MOMENTS: Readonly<Record<string, Moment>> = {
  // The targets are searched for while the CA works, and the new version is put on disk after that.
  "during issue": { side: "before", is: ({ path }) => path === "/containers/json" },
  "before reload": { side: "before", is: (asked) => isReload(asked) && asked.path.startsWith("/containers/") },
  "during reload": { side: "answered", is: (asked) => isReload(asked) && asked.path.endsWith("/start") },
  // nginx has been told, and the sidecar hears next that it has.
  "before verify": { side: "answered", is: (asked) => isReload(asked) && asked.path.endsWith("/json") },
};

type Fault = {
  readonly name: string;
  /** What is to be so before the renewal. */
  readonly prepare?: () => Promise<unknown>;
  readonly apply: () => Promise<unknown>;
  readonly lift: () => Promise<unknown>;
  /** What status says where the newest version is not served. */
  readonly says: RegExp;
  /** What puts the stack back for the next cell, where lifting the fault doesn't. */
  readonly cleanUp?: () => Promise<unknown>;
  /** Meanwhile the newest version may be served: nginx reads it at its own start. */
  readonly isHarmless?: true;
};

let stack: Stack;
let line: EngineLine;

const NOT_SERVED = /nginx-\d: does NOT serve it: .*/;
const nothing = () => Promise.resolve();
// In place, since the file itself is mounted.
const configure = (text: string) => writeFile(join(stack.folder, "fault.conf"), text);
const mend = () => configure("");
const treat = (treatment: Parameters<EngineLine["treat"]>[0]) => () => Promise.resolve(line.treat(treatment));
const recreateNginx = () => stack.composeOk("up", "-d", "--no-build", "--no-deps", "--force-recreate", "nginx");
const scale = (replicas: number) =>
  stack.composeOk("up", "-d", "--no-build", "--no-deps", "--no-recreate", "--scale", `nginx=${replicas}`, "nginx");

// No engine is restarted here: that takes a dockerd of its own, and would end all other stacks of this machine's.
const FAULTS: readonly Fault[] = [
  {
    name: "nginx stopped",
    apply: () => stack.composeOk("stop", "-t", "2", "nginx"),
    lift: () => stack.composeOk("start", "nginx"),
    says: /nginx-1 is stopped \(exit code \d+\)\n {2}what to do: Run docker compose up -d nginx;/,
  },
  {
    name: "nginx paused",
    apply: () => stack.composeOk("pause", "nginx"),
    lift: () => stack.compose("unpause", "nginx"),
    says: /nginx-1 is paused\n {2}what to do: Run docker compose unpause nginx;/,
  },
  {
    name: "nginx restarting",
    // A configuration that can't be read wouldn't do: our entrypoint leaves out what is foreign, and starts.
    apply: async () => {
      await stack.shell(`cd ${stack.folder}/nginx && mv entrypoint.sh away.sh && echo exit 1 >entrypoint.sh`);
      await stack.compose("restart", "-t", "2", "nginx");
    },
    lift: async () => {
      await stack.shell(`cd ${stack.folder}/nginx && mv away.sh entrypoint.sh`);
      await stack.composeOk("restart", "-t", "2", "nginx");
    },
    says: /nginx-1 is restarting \(exit code 1\)\n {2}what to do: Read docker compose logs nginx/,
  },
  {
    name: "nginx killed",
    // `docker kill` would count as a manual stop. Its restart policy lifts it.
    apply: async () => process.kill(Number(await stack.inspect("nginx", "{{.State.Pid}}")), "SIGKILL"),
    lift: nothing,
    says: /nginx-1: does NOT serve it: .*|nginx-1 is (restarting|stopped)/,
    isHarmless: true,
  },
  {
    name: "foreign fault in nginx",
    apply: () => configure("colour green;"),
    lift: mend,
    says: NOT_SERVED,
  },
  {
    name: "invalid because of us",
    // A server that reads our certificate with a copied key: right until the key changes.
    prepare: async () => {
      const { number } = await newest();
      pinned = `server { listen 8443 ssl; ssl_certificate ${LIVE}/fullchain.pem; ssl_certificate_key ${ARCHIVE}/privkey${number}.pem; }`;
    },
    apply: () => configure(pinned),
    lift: mend,
    says: /version \d+ of demo\.test was put back: .*|nginx-1: does NOT serve it: .*/,
  },
  {
    name: "ciphers that don't fit",
    prepare: async () => {
      await askForKeys("rsa-2048");
      await renew();
      await askForKeys("ecdsa-p256");
    },
    // With TLS 1.3 any kind of key would do.
    apply: () => configure("ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;"),
    lift: mend,
    says: /version \d+ of demo\.test was put back since no handshake with it succeeds: .*|nginx-1: does NOT serve it: .*/,
  },
  {
    name: "wrong path",
    // The operator's own server wins over ours, with the files of a version that was the newest once.
    prepare: async () => {
      const { number } = await newest();
      pinned = `server { listen 443 ssl; server_name demo.test; ssl_certificate ${ARCHIVE}/fullchain${number}.pem; ssl_certificate_key ${ARCHIVE}/privkey${number}.pem; }`;
    },
    apply: () => configure(pinned),
    lift: mend,
    says: NOT_SERVED,
  },
  {
    name: "replica added",
    apply: () => scale(2),
    lift: nothing,
    says: NOT_SERVED,
    isHarmless: true,
    cleanUp: () => scale(1),
  },
  {
    name: "old volume restored",
    prepare: () => stack.shell(`cd ${stack.folder} && rm -rf yesterday && cp -a volumes/certbot/conf yesterday`),
    apply: async () => {
      await stack.layOver(compose(', "./yesterday:/etc/letsencrypt:ro"'));
      await recreateNginx();
    },
    lift: async () => {
      await stack.layOver(compose());
      await recreateNginx();
    },
    says: NOT_SERVED,
  },
  {
    name: "socket gone",
    apply: () => line.end(),
    lift: () => line.begin(),
    says: /the Docker engine at \/engine\/engine\.sock can't be reached: /,
  },
  { name: "exec refused", apply: treat("refuse"), lift: treat("pass"), says: NOT_SERVED },
  { name: "exec hangs", apply: treat("hang"), lift: treat("pass"), says: NOT_SERVED },
];

type Cell = { readonly fault: Fault; readonly moment: string; readonly name: string };

const CELLS: readonly Cell[] = FAULTS.flatMap((fault) =>
  Object.keys(MOMENTS).map((moment) => ({ fault, moment, name: `${fault.name} ${moment}` })),
);

let pinned = "";

beforeAll(async () => {
  // Valid authorizations are found again: a renewal needs no challenge, and so no nginx. The schedule is far away, so that
  // nothing but what is tested here can set something right.
  const env = { CERTBOT_SCHEDULE: "0 0 1 1 *", CERTBOT_KEY_TYPE: "ecdsa-p256", NGINX_SSL_PROTOCOLS: "TLSv1.2" };
  stack = await createStack({ env, authorizationReusePercent: 100, override: compose() });
  line = new EngineLine(join(stack.folder, "engine/engine.sock"));
  await Promise.all([line.begin(), mend()]);
  await stack.up();
});
afterAll(async () => {
  await stack?.remove();
  await line?.end();
});
tellOnFailure(() => stack);

// Some minutes: scripts/test --long faults.
test.runIf(process.env["CERT_SIDECAR_FULL"]).each(CELLS)(
  "$name: status tells the truth, and once that is lifted the new version is served with no further order",
  async ({ fault, moment, name }) => {
    await untilIdle(stack);
    await fault.prepare?.();
    const [before, orders] = [await newest(), await stack.orders()];
    let isLifted = false;
    try {
      await renewDuring(MOMENTS[moment] as Moment, fault.apply);
      expect((await newest()).number).toBe(before.number + 1);
      const said = await statusTellsTruth(fault.says);
      console.info(`${name}: ${said}`);
      // What comes before nginx is told, and isn't felt, is no fault.
      const isFelt = MOMENTS[moment]?.side === "before" && !fault.isHarmless;
      expect({ said, isTrue: !isFelt || said.startsWith("not served") }).toMatchObject({ isTrue: true });
      await fault.lift();
      isLifted = true;
      await until("update-cert is content", async () => (await stack.certbot("update-cert")).code === 0 || undefined);
      await until("the new version is served", async () => (await isNewestServed()) || undefined);
      expect((await diskLeaf(stack)).fingerprint256).toBe((await newest()).fingerprint256);
      expect((await stack.orders()) - orders).toBe(1);
    } finally {
      if (!isLifted) await fault.lift();
      await fault.cleanUp?.();
    }
  },
);

/** Renews, and acts at a moment of that. */
async function renewDuring(moment: Moment, act: () => Promise<unknown>): Promise<void> {
  const { come, go } = line.hold(moment);
  const renewal = renew();
  const ended = renewal.then(({ stdout, stderr }) => {
    throw new Error(`the renewal has ended before the moment came: ${stdout}${stderr}`);
  });
  try {
    await Promise.race([come, ended]);
    await act();
  } finally {
    go();
    await renewal;
  }
}

function renew() {
  return stack.certbot("update-cert", "--force-renewal");
}

async function askForKeys(kind: "rsa-2048" | "ecdsa-p256"): Promise<void> {
  await rewriteEnv(stack, { CERTBOT_KEY_TYPE: kind });
  await stack.composeOk("up", "-d", "--no-build", "--no-deps", "certbot");
  await daemonAnswers(stack);
  await untilIdle(stack);
}

/**
 * Waits until status says of the newest version what is to be seen from outside, too. It may know less than that: where it says
 * why, that is no lie. Gives what it says.
 */
async function statusTellsTruth(says: RegExp): Promise<string> {
  return until("status tells the truth", async () => {
    const isServed = await isNewestServed();
    const { code, stdout } = await stack.certbot("status");
    if ((await isNewestServed()) !== isServed) return undefined;
    const isCalledServed = code === 0 && stdout.includes(": serves this version") && !NOT_SERVED.test(stdout);
    const [words] = (code === 1 && says.exec(stdout)) || [];
    if (words !== undefined) return `${isServed ? "served" : "not served"}, "${words}"`;
    if (isServed && isCalledServed) return "served, and called so";
    throw new Error(`exit code ${code} where the newest version is ${isServed ? "" : "not "}served:\n${stdout}`);
  });
}

/** The newest version in the archive, whether it is shown or not. */
async function newest(): Promise<{ readonly number: number; readonly fingerprint256: string }> {
  const names = await readdir(stack.conf("archive/demo.test"));
  const number = Math.max(...names.map((name) => Number(/^fullchain(\d+)\.pem$/.exec(name)?.[1] ?? 0)));
  const pem = await stack.readConf("archive/demo.test", `fullchain${number}.pem`);
  return { number, fingerprint256: new X509Certificate(pem).fingerprint256 };
}

/** Whether every replica of nginx presents the newest version, to somebody outside. */
async function isNewestServed(): Promise<boolean> {
  const ids = (await stack.composeOk("ps", "-a", "-q", "nginx")).trim().split("\n");
  // The port is another one after each start.
  const port = `{{with index .NetworkSettings.Ports "443/tcp"}}{{(index . 0).HostPort}}{{else}}0{{end}}`;
  const ports = (await docker("inspect", "-f", port, ...ids)).split("\n").map(Number);
  const { fingerprint256 } = await newest();
  const looks = ports.map((one) => leafAt(one).then((leaf) => leaf.fingerprint256 === fingerprint256));
  return (await Promise.allSettled(looks)).every((look) => look.status === "fulfilled" && look.value);
}
