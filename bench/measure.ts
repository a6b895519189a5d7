import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createStack, SIDECAR_IMAGE, until, type Stack } from "../test/e2e/support/stack.ts";
import { docker } from "../test/support/docker-command.ts";
import { IMAGES } from "../test/support/images.ts";
import { renewedToServedMs } from "../test/e2e/support/renewed-to-served.ts";
import { median, range } from "./figures.ts";

const RUNS = Number(process.argv[2] ?? 7);
const START_RUNS = 21;
const SETTLED_MS = 10_000;

type Row = { readonly what: string; readonly figure: string; readonly beside: string };

const rows: Row[] = [];
const stack = await createStack({ nonceRejectPercent: 0, authorizationReusePercent: 100 });
const certbot = `${stack.project}-certbot-peer`;
try {
  await stack.up();
  await until("the first certificate is served", async () =>
    (await stack.events()).some(({ event }) => event === "target.served") ? true : undefined,
  );
  rows.push(await imageRow());
  rows.push(await requestRow(stack));
  rows.push(...(await issueRows(stack)));
  rows.push(await startRow(stack));
  rows.push(...(await memoryRows(stack)));
} finally {
  await docker("rm", "-f", certbot).catch(() => undefined);
  await stack.remove();
}
for (const { what, figure, beside } of rows) console.log(`${what.padEnd(44)} ${figure.padEnd(34)} ${beside}`);

async function imageRow(): Promise<Row> {
  const [ours, base] = await Promise.all(
    [SIDECAR_IMAGE, IMAGES.node].map(async (image) =>
      Number(await docker("image", "inspect", "-f", "{{.Size}}", image)),
    ),
  );
  return {
    what: "image",
    figure: `base + ${megabytes(((ours ?? 0) - (base ?? 0)) / 1024)}`,
    beside: `base ${IMAGES.node} ${megabytes((base ?? 0) / 1024)}`,
  };
}

/** Requests in Pebble's log for one forced renewal whose names the CA still has proof of. */
async function requestRow(stack: Stack): Promise<Row> {
  const before = await requests(stack);
  await stack.certbot("update-cert", "--force-renewal");
  const after = await requests(stack);
  return {
    what: "CA requests, renewal, proofs still valid",
    figure: String(after.length - before.length),
    beside: after.slice(before.length).join(" "),
  };
}

async function requests(stack: Stack): Promise<string[]> {
  return [...(await stack.logs("pebble")).matchAll(/Pebble \S+ \S+ (GET|HEAD|POST) (\/\S+) -> calling handler/g)].map(
    (match) => `${match[1]} ${match[2]?.split("/")[1]}`,
  );
}

async function issueRows(stack: Stack): Promise<Row[]> {
  const network = `${stack.project}_default`;
  const webroot = `${stack.folder}/volumes/certbot/www:/var/www/html`;
  const place = ["--name", certbot, "--network", network, "-v", webroot, "--entrypoint", "sleep"];
  await docker("run", "-d", ...place, IMAGES.certbot, "3600");
  const options = "--webroot -w /var/www/html -d www.demo.test --server https://pebble:14000/dir --no-verify-ssl";
  const certonly = `certbot certonly ${options} -n --agree-tos -m admin@demo.test --force-renewal`;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    ours.push(await timed(await stack.container("certbot"), "update-cert --force-renewal"));
    theirs.push(await timed(certbot, certonly));
  }
  const ratio = (median(ours) / median(theirs)).toFixed(2);
  const served = await renewedToServedMs(stack);
  return [
    {
      what: "update-cert --force-renewal, nginx reloaded",
      figure: `${median(ours)} ms (${range(ours)})`,
      beside: `${ratio} × certbot certonly: ${median(theirs)} ms (${range(theirs)}), no reload`,
    },
    { what: "  of that, until the version is on disk", figure: `${median(await onDiskMs(stack))} ms`, beside: "" },
    { what: "  on disk -> served", figure: `${median(served)} ms (${range(served)})`, beside: "" },
  ];
}

/** Milliseconds of a shell command, measured inside the container. Throws unless it succeeds. */
async function timed(container: string, command: string): Promise<number> {
  const script = `s=$(date +%s%N); ${command} >/tmp/bench.log 2>&1 || { cat /tmp/bench.log; exit 1; }; e=$(date +%s%N); echo $(( (e - s) / 1000000 ))`;
  return Number((await docker("exec", container, "sh", "-c", script)).trim());
}

async function onDiskMs(stack: Stack): Promise<number[]> {
  const renewed = (await stack.events()).filter(({ event }) => event === "lineage.renewed");
  return renewed.map(({ durationMs }) => Number(durationMs));
}

async function startRow(stack: Stack): Promise<Row> {
  const script = `
    const { spawnSync } = require("node:child_process");
    const time = (file, args) => { const s = performance.now(); spawnSync(file, args); return performance.now() - s; };
    const bare = [], client = [];
    for (let i = 0; i < ${START_RUNS}; i++) { bare.push(time("node", ["-e", "0"])); client.push(time("healthcheck", [])); }
    console.log(JSON.stringify({ bare, client }));`;
  const { stdout } = await stack.certbot("node", "-e", script);
  const { bare, client } = JSON.parse(stdout) as { bare: number[]; client: number[] };
  const ratio = (median(client) / median(bare)).toFixed(2);
  return {
    what: "thin client, start to end",
    figure: `${median(client)} ms (${range(client)})`,
    beside: `${ratio} × bare node -e 0: ${median(bare)} ms`,
  };
}

async function memoryRows(stack: Stack): Promise<Row[]> {
  const bareName = `${stack.project}-bare`;
  await docker(
    "run",
    "-d",
    "--rm",
    "--name",
    bareName,
    "--entrypoint",
    "node",
    SIDECAR_IMAGE,
    "-e",
    "setInterval(() => {}, 1e6)",
  );
  await sleep(2000);
  const bare = await memory(Number(await docker("inspect", "-f", "{{.State.Pid}}", bareName)));
  await docker("rm", "-f", bareName);
  const afterIssue = await memory(await daemonPid(stack));
  await stack.composeOk("restart", "certbot");
  await sleep(SETTLED_MS);
  const idle = await memory(await daemonPid(stack));
  return [
    { what: "daemon idle, nothing issued since its start", figure: idle, beside: `bare Node.js ${bare}` },
    { what: `daemon idle after ${RUNS + 1} renewals`, figure: afterIssue, beside: "" },
  ];
}

/** The host's pid of the daemon: the child of Docker's init. */
async function daemonPid(stack: Stack): Promise<number> {
  const init = await stack.inspect("certbot", "{{.State.Pid}}");
  return Number((await readFile(`/proc/${init}/task/${init}/children`, "utf8")).trim().split(" ")[0]);
}

async function memory(pid: number): Promise<string> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(rollup)?.[1]);
  return `${megabytes(kilobytes("Rss"))} resident, ${megabytes(kilobytes("Private_Dirty"))} private`;
}

function megabytes(kilobytes: number): string {
  return `${(kilobytes / 1024).toFixed(1)} MB`;
}
