import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../support/seeded-random.ts";
import { daemonAnswers } from "./support/daemon.ts";
import { EngineLine } from "./support/engine-line.ts";
import { rewriteEnv } from "./support/env-file.ts";
import { MOMENTS, newest, NOT_SERVED, renew, tryCell, type Fault, type When } from "./support/fault-cell.ts";
import { untilIdle } from "./support/idle.ts";
import { createStack, type Stack } from "./support/stack.ts";
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

let stack: Stack;
let line: EngineLine;

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
    takesS: { before: 9, answered: 23 },
    apply: () => stack.composeOk("stop", "-t", "2", "nginx"),
    lift: () => stack.composeOk("start", "nginx"),
    isFelt: "always",
    isHeard: true,
    says: /nginx-1 is stopped \(exit code \d+\)\n {2}what to do: Run docker compose up -d nginx;/,
  },
  {
    name: "nginx paused",
    takesS: { before: 17, answered: 30 },
    apply: () => stack.composeOk("pause", "nginx"),
    lift: () => stack.compose("unpause", "nginx"),
    isFelt: "always",
    isHeard: true,
    says: /nginx-1 is paused\n {2}what to do: Run docker compose unpause nginx;/,
  },
  {
    name: "nginx restarting",
    takesS: { before: 8, answered: 25 },
    // A configuration that can't be read wouldn't do: our entrypoint leaves out what is foreign, and starts.
    apply: async () => {
      await stack.shell(`cd ${stack.folder}/nginx && mv entrypoint.sh away.sh && echo exit 1 >entrypoint.sh`);
      await stack.compose("restart", "--no-deps", "-t", "2", "nginx");
    },
    lift: async () => {
      await stack.shell(`cd ${stack.folder}/nginx && mv away.sh entrypoint.sh`);
      await stack.composeOk("restart", "--no-deps", "-t", "2", "nginx");
    },
    isFelt: "always",
    isHeard: true,
    says: /nginx-1 is restarting \(exit code 1\)\n {2}what to do: Read docker compose logs nginx/,
  },
  {
    name: "nginx killed",
    takesS: { before: 5, answered: 7 },
    // `docker kill` would count as a manual stop. Its restart policy lifts it.
    apply: async () => process.kill(Number(await stack.inspect("nginx", "{{.State.Pid}}")), "SIGKILL"),
    lift: nothing,
    isFelt: "perhaps",
    isHeard: true,
    says: /nginx-1: does NOT serve it: .*|nginx-1 is (restarting|stopped)/,
  },
  {
    name: "foreign fault in nginx",
    takesS: { before: 8, answered: 9 },
    apply: () => configure("colour green;"),
    lift: mend,
    isFelt: "before nginx is told",
    says: NOT_SERVED,
  },
  {
    name: "invalid because of us",
    takesS: { before: 8, answered: 6 },
    // A server that reads our certificate with a copied key: right until the key changes.
    prepare: async () => {
      const { number } = await newest(stack);
      pinned = `server { listen 8443 ssl; ssl_certificate ${LIVE}/fullchain.pem; ssl_certificate_key ${ARCHIVE}/privkey${number}.pem; }`;
    },
    apply: () => configure(pinned),
    lift: mend,
    isFelt: "before nginx is told",
    says: /version \d+ of demo\.test was put back: .*|nginx-1: does NOT serve it: .*/,
  },
  {
    name: "ciphers that don't fit",
    takesS: { before: 23, answered: 18 },
    prepare: async () => {
      await askForKeys("rsa-2048");
      await renew(stack);
      await askForKeys("ecdsa-p256");
    },
    // With TLS 1.3 any kind of key would do.
    apply: () => configure("ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;"),
    lift: mend,
    isFelt: "before nginx is told",
    says: /version \d+ of demo\.test was put back since no handshake with it succeeds: .*|nginx-1: does NOT serve it: .*/,
  },
  {
    name: "wrong path",
    takesS: { before: 27, answered: 27 },
    // The operator's own server wins over ours, with the files of a version that was the newest once.
    prepare: async () => {
      const { number } = await newest(stack);
      pinned = `server { listen 443 ssl; server_name demo.test; ssl_certificate ${ARCHIVE}/fullchain${number}.pem; ssl_certificate_key ${ARCHIVE}/privkey${number}.pem; }`;
    },
    apply: () => configure(pinned),
    lift: mend,
    isFelt: "before nginx is told",
    says: NOT_SERVED,
  },
  {
    name: "replica added",
    takesS: { before: 5, answered: 5 },
    apply: () => scale(2),
    lift: nothing,
    isFelt: "perhaps",
    isHeard: true,
    says: NOT_SERVED,
    cleanUp: () => scale(1),
  },
  {
    name: "old volume restored",
    takesS: { before: 17, answered: 19 },
    prepare: () => stack.shell(`cd ${stack.folder} && rm -rf yesterday && cp -a volumes/certbot/conf yesterday`),
    apply: async () => {
      await stack.layOver(compose(', "./yesterday:/etc/letsencrypt:ro"'));
      await recreateNginx();
    },
    lift: async () => {
      await stack.layOver(compose());
      await recreateNginx();
    },
    isFelt: "always",
    isHeard: true,
    says: NOT_SERVED,
  },
  {
    name: "socket gone",
    takesS: { before: 5, answered: 5 },
    apply: () => line.end(),
    lift: () => line.begin(),
    isFelt: "before nginx is told",
    isHeard: true,
    isBlinding: true,
    says: /the Docker engine at \/engine\/engine\.sock can't be reached: /,
  },
  {
    name: "exec refused",
    takesS: { before: 7, answered: 7 },
    apply: treat("refuse"),
    lift: treat("pass"),
    says: NOT_SERVED,
    isFelt: "before nginx is told",
  },
  {
    name: "exec hangs",
    takesS: { before: 55, answered: 35 },
    apply: treat("hang"),
    lift: treat("pass"),
    says: NOT_SERVED,
    isFelt: "before nginx is told",
  },
];

type Cell = When & { readonly fault: Fault; readonly name: string };

const IS_FULL = Boolean(process.env["CERT_SIDECAR_FULL"]);

// A minute of waiting for the sidecar's own next try is for the whole matrix, and enough at one moment of each.
const CELLS: readonly Cell[] = FAULTS.flatMap((fault) =>
  Object.keys(MOMENTS).map((name) => {
    const moment = name as keyof typeof MOMENTS;
    return { fault, moment, isPatient: IS_FULL && moment === "before reload", name: `${fault.name} ${moment}` };
  }),
);

let pinned = "";

// What a draw may take on a quiet machine, beside its stack.
const DRAWN_S = 27;

/** A handful of quick cells, each of another fault, that takes about as long whichever it is. */
function draw(): readonly Cell[] {
  const random = seededRandom("cells of the fault matrix");
  const takesS = ({ fault, moment }: Cell) => fault.takesS[MOMENTS[moment].side];
  const quick = CELLS.filter((cell) => takesS(cell) <= DRAWN_S / 3);
  const mixed = quick.map((cell) => ({ cell, place: random() })).sort((a, b) => a.place - b.place);
  const drawn: Cell[] = [];
  let leftS = DRAWN_S;
  for (const { cell } of mixed) {
    if (takesS(cell) > leftS || drawn.some(({ fault }) => fault === cell.fault)) continue;
    drawn.push(cell);
    leftS -= takesS(cell);
  }
  return drawn;
}

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

test.each(IS_FULL ? CELLS : draw())(
  "$name: status tells the truth, and once that is lifted the new version is served with no further order",
  async ({ fault, name, ...when }) => {
    const { said, orders } = await tryCell({ stack, line, orders: () => stack.orders() }, fault, when);
    console.info(`${name}: ${said}`);
    expect(orders).toBe(1);
  },
);

async function askForKeys(kind: "rsa-2048" | "ecdsa-p256"): Promise<void> {
  await rewriteEnv(stack, { CERTBOT_KEY_TYPE: kind });
  await stack.composeOk("up", "-d", "--no-build", "--no-deps", "certbot");
  await daemonAnswers(stack);
  await untilIdle(stack);
}
