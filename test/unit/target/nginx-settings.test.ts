import { describe, expect, test } from "vitest";
import { composeProject, composeService, replicaName } from "../../../src/target/compose-labels.ts";
import { readContainer, type Container } from "../../../src/target/docker/container.ts";
import { nginxPorts } from "../../../src/target/nginx-settings.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";

function nginx(env: readonly string[]): Container {
  return readContainer(inspectedContainer({ id: "a", env }));
}

describe("what an nginx container says of itself", () => {
  test("its ports are NGINX_SSL_PORT and NGINX_PORT, else 443 and 80, also when they are empty or no ports", () => {
    const ports = (...env: readonly string[]) => Object.values(nginxPorts(nginx(env)));
    expect(ports()).toEqual([80, 443]);
    expect(ports("NGINX_SSL_PORT=8443", "NGINX_PORT=8080")).toEqual([8080, 8443]);
    expect(ports("NGINX_SSL_PORT=", "NGINX_PORT=")).toEqual([80, 443]);
    expect(ports("NGINX_SSL_PORT=70000")).toEqual([80, 443]);
  });

  test("compose's labels give project, service and name; a one-off container is no service's", () => {
    const { labels } = nginx([]);
    expect([composeProject(labels), composeService(labels), replicaName(labels, "x")]).toEqual([
      "shop",
      "nginx",
      "nginx-1",
    ]);
    expect(composeService({ ...labels, "com.docker.compose.oneoff": "True" })).toBeUndefined();
    expect(composeProject({})).toBeUndefined();
    expect(replicaName({}, "web")).toBe("web");
  });

  test("an answer without environment, labels or networks is read as an empty one", () => {
    const bare = {
      ...inspectedContainer({ id: "a" }),
      Config: { Env: null, Labels: null },
      NetworkSettings: { Networks: null },
    };
    expect(readContainer(bare)).toMatchObject({ env: {}, labels: {}, networks: [] });
  });
});
