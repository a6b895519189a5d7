import { afterAll, beforeAll, expect, test } from "vitest";
import { IMAGES } from "../support/images.ts";
import { createStack, until, type Stack } from "./support/stack.ts";

// A server that ends without its pair, and reads it when it starts and at HUP.
const SERVER = `[ -s /tls.pem ] || exit 1
start() { openssl s_server -quiet -accept 8883 -cert /tls.pem -key /tls.pem & s=$!; }
trap 'exit 0' TERM; trap 'kill $s; wait $s; start' HUP
start; while :; do sleep 600 & wait $!; done`;

const MAIL = {
  image: IMAGES.nginx,
  restart: "always",
  stop_signal: "SIGTERM",
  entrypoint: ["sh", "-c", SERVER.replaceAll("$", "$$$$")],
  labels: {
    "cert-sidecar.deploy": "signal:HUP",
    "cert-sidecar.certificates": "demo.test",
    "cert-sidecar.copy": "/tls.pem",
    "cert-sidecar.port": "8883",
  },
};

// A try that meets it between two crashes fails, and the next one waits, as Docker's next start does.
const PATIENT_MS = 240_000;

let stack: Stack;
beforeAll(async () => {
  // What is named is a target beside what has a label.
  stack = await createStack({
    env: { CERTBOT_DEPLOY: "service:nginx" },
    override: JSON.stringify({ services: { mail: MAIL } }),
  });
  await stack.up();
});
afterAll(() => stack?.remove());

const served = () =>
  until("both serve it", async () => ((await stack.certbot("status")).code === 0 ? true : undefined), PATIENT_MS);

const signalled = async () =>
  (await stack.events()).filter(({ event, target }) => event === "target.reloaded" && target === "mail-1").length;

test("a server told by labels has the first certificate, the next one, and the same again when it is made anew", async () => {
  await served();
  const { stdout } = await stack.certbot("status");
  for (const name of ["nginx-1", "mail-1"]) expect(stdout).toContain(`  ${name}: serves this version\n`);
  const before = await signalled();
  const renewal = await stack.certbot("update-cert", "--force-renewal");
  expect(renewal).toMatchObject({ code: 0, stderr: "" });
  expect(renewal.stdout).toMatch(/^demo\.test: mail-1 serves it$/m);
  expect(await signalled()).toBe(before + 1);
  await stack.composeOk("up", "-d", "--no-build", "--force-recreate", "mail");
  await served();
  expect(await stack.inspect("mail", "{{.State.Running}}")).toBe("true");
}, 600_000);
