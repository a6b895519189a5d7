import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findSpareEngine } from "../../../src/app/spare-engine.ts";
import { configOf } from "../../support/read-config.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const find = (environment: Readonly<Record<string, string>>) => findSpareEngine(configOf(environment));
const WATCH = { CERTBOT_DEPLOY: "nginx:watch" };

test("a way to Docker is spare where nginx takes over by itself, and is there", async () => {
  const folder = await temporaryFolder();
  const socket = join(folder, "docker.sock");
  const engine = createServer();
  onTestFinished(() => void engine.close());
  await once(engine.listen(socket), "listening");
  expect(find({ ...WATCH, DOCKER_HOST: `unix://${socket}` })).toMatchObject({
    option: socket,
    remedy: expect.stringContaining("Take the socket's line out"),
  });
  expect(find({ ...WATCH, DOCKER_HOST: "tcp://proxy:2375" })).toMatchObject({ option: "DOCKER_HOST" });
  expect(find({ CERTBOT_DEPLOY: "verify:host-gateway:443", DOCKER_HOST: `unix://${socket}` })).toMatchObject({
    because: expect.stringContaining("with CERTBOT_DEPLOY=verify:host-gateway:443 nobody needs"),
    remedy: expect.stringContaining("as docs/examples/host-nginx/compose.yml does"),
  });
  expect(find({ DOCKER_HOST: `unix://${socket}` })).toBeUndefined();
  expect(find({ CERTBOT_DEPLOY: "nginx:watch service:mail", DOCKER_HOST: `unix://${socket}` })).toBeUndefined();
  expect(find({ ...WATCH, DOCKER_HOST: `unix://${folder}/none.sock` })).toBeUndefined();
  expect(find({ ...WATCH, DOCKER_HOST: `unix://${folder}` })).toBeUndefined();
  expect(find({ ...WATCH, DOCKER_HOST: "unix:///dev/null/docker.sock" })).toBeUndefined();
});
