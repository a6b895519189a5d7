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

  test("has no nginx: its other services are named", async () => {
    const labels = (service: string) => ({
      "com.docker.compose.project": "shop",
      "com.docker.compose.service": service,
    });
    const listed = ["web", "certbot"].map((service) => ({
      Id: service,
      Names: [`/${service}`],
      Labels: labels(service),
    }));
    const {
      missing: [missing],
    } = await findWith(inspectedContainer({ id: own, service: "certbot" }), listed);
    expect(missing?.failure).toMatchObject({ code: "TARGET_NOT_FOUND" });
    expect(missing?.failure.message).toContain("its services are certbot, web");
  });
});
