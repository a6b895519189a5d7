import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { VERBS } from "../../src/commands/index.ts";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { SIDECAR_IMAGE } from "./support/stack.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HOOKS_IMAGE = "cert-sidecar:test-hooks";
const MIB = 1024 * 1024;

afterAll(() => docker("image", "rm", HOOKS_IMAGE).catch(() => undefined));

const size = async (image: string) => Number(await docker("image", "inspect", "-f", "{{.Size}}", image));

/** Where an image has these commands; throws for one that it hasn't. */
async function found(image: string, commands: readonly string[]): Promise<string[]> {
  const script = commands.map((command) => `command -v ${command}`).join(" && ");
  return (await docker("run", "--rm", "--entrypoint", "sh", image, "-c", script)).split("\n");
}

test("the image is its base and at most 5 MB more, and hides no forgotten mount behind a volume", async () => {
  expect((await size(SIDECAR_IMAGE)) - (await size(IMAGES.node))).toBeLessThan(5 * MIB);
  expect(await docker("image", "inspect", "-f", "{{json .Config.Volumes}}", SIDECAR_IMAGE)).toBe("null");
});

test("the commands are in its PATH, and need neither a package manager nor node_modules", async () => {
  const commands = ["cert-sidecar", ...VERBS.map(({ name }) => name), "/update-cert.sh"];
  expect(await found(SIDECAR_IMAGE, commands)).toHaveLength(commands.length);
  const files = await docker("run", "--rm", "--entrypoint", "ls", SIDECAR_IMAGE, "/opt/cert-sidecar");
  expect(files.split("\n")).toEqual(["cli.js", "main.js", "package.json", "verbs"]);
});

test("--target hooks is the same with curl, jq and openssl", async () => {
  await promisify(execFile)(`${ROOT}scripts/build-image`, [HOOKS_IMAGE, "hooks"]);
  expect(await found(HOOKS_IMAGE, ["curl", "jq", "openssl", "update-cert"])).toHaveLength(4);
});
