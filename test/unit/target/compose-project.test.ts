import { afterEach, describe, expect, test } from "vitest";
import { createDeployment } from "../../../src/target/index.ts";
import { systemClock } from "../../../src/system/index.ts";
import { answer, inspectedContainer, startFakeEngine, type FakeEngine } from "../../support/fake-engine.ts";
import { collectLog } from "../../support/collected-log.ts";

const NEVER = new AbortController().signal;

let fake: FakeEngine | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

describe("the compose project", () => {
  const own = "b".repeat(64);
  const mountinfo = `1 1 0:1 /docker/containers/${own}/hostname /etc/hostname rw - ext4 x rw`;

  async function findWith(ownContainer: object | undefined, listed: readonly object[] = []) {
    fake = await startFakeEngine((path, response) => {
      if (path === "/containers/json") return answer(response, listed);
      if (path === `/containers/${own}/json` && ownContainer) return answer(response, ownContainer);
      return answer(response, { message: "no such container" }, 404);
    });
    const { targets: source } = createDeployment({
      docker: fake.address,
      service: "nginx",
      clock: systemClock,
      log: collectLog(),
      random: Math.random,
      ownHints: { mountinfo: async () => mountinfo, hostname: () => "web" },
    });
    return source.find(NEVER);
  }

  test("is unknown when the engine does not know our container", async () => {
    const {
      missing: [missing],
    } = await findWith(undefined);
    expect(missing?.failure).toMatchObject({
      code: "COMPOSE_PROJECT_UNKNOWN",
      remedy: expect.stringContaining("DOCKER_HOST"),
    });
  });

  test("is unknown when compose did not start us", async () => {
    const labels = { "com.docker.compose.project": "" };
    const {
      missing: [missing],
    } = await findWith(inspectedContainer({ id: own, service: "certbot", labels }));
    expect(missing?.failure).toMatchObject({ code: "COMPOSE_PROJECT_UNKNOWN" });
    expect(missing?.failure.message).toContain("was not started by docker compose");
  });

  const containersOf = (...services: readonly string[]) =>
    services.map((service) => ({
      Id: service,
      Names: [`/${service}`],
      Labels: { "com.docker.compose.project": "shop", "com.docker.compose.service": service },
    }));
  const missingIn = async (...services: readonly string[]) =>
    (await findWith(inspectedContainer({ id: own, service: "certbot" }), containersOf(...services))).missing;

  test("has no nginx: its other services are named", async () => {
    const [missing] = await missingIn("web", "certbot");
    expect(missing?.failure).toMatchObject({ code: "TARGET_NOT_FOUND" });
    expect(missing?.failure.message).toContain("its services are certbot, web");
    expect(missing?.failure.remedy).toMatch(/ or give .*, web, the label cert-sidecar\.deploy=nginx/);
  });

  test("has several that may be nginx: all are named, with the line that decides, and none is chosen", async () => {
    const missing = await missingIn("web", "openresty", "app", "socket-proxy", "web-2");
    expect(missing).toMatchObject([{ name: "nginx", failure: { code: "TARGET_AMBIGUOUS" } }]);
    expect(missing[0]?.failure.message).toMatch(/no container of it, and openresty, web and web-2 may each be meant$/);
    expect(missing[0]?.failure.remedy).toMatch(
      /^Set CERTBOT_DEPLOY=service:openresty, .*=service:web or .*=service:web-2 for this container, or .* label cert-sidecar\.deploy=nginx/,
    );
  });
});
