import { describe, expect, test } from "vitest";
import { composeProject, composeService, replicaName } from "../../../src/target/compose-labels.ts";
import { readContainer, type Container, type Labels } from "../../../src/target/docker/container.ts";
import { httpPort, tlsPort, whyHttpsMayBeOff } from "../../../src/target/nginx-settings.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";

function nginx(env: readonly string[], labels: Labels = {}): Container {
  return readContainer(inspectedContainer({ id: "a", env, labels }));
}

describe("what an nginx container says of itself", () => {
  test("its ports are NGINX_SSL_PORT and NGINX_PORT, else 443 and 80, also when they are empty or no ports", () => {
    expect(tlsPort("nginx-1", nginx([]), {})).toBe(443);
    expect(tlsPort("nginx-1", nginx(["NGINX_SSL_PORT=8443"]), {})).toBe(8443);
    expect(tlsPort("nginx-1", nginx(["NGINX_SSL_PORT="]), {})).toBe(443);
    expect(tlsPort("nginx-1", nginx(["NGINX_SSL_PORT=70000"]), {})).toBe(443);
    expect(httpPort(nginx([]))).toBe(80);
    expect(httpPort(nginx(["NGINX_PORT=8080"]))).toBe(8080);
  });

  test("a label beats the environment, but not when the image brings it", () => {
    const container = nginx(["NGINX_SSL_PORT=8443"], { "cert-sidecar.port": "9443" });
    expect(tlsPort("nginx-1", container, {})).toBe(9443);
    expect(tlsPort("nginx-1", container, { "cert-sidecar.port": "443" })).toBe(9443);
    expect(tlsPort("nginx-1", container, { "cert-sidecar.port": "9443" })).toBe(8443);
  });

  test("a label that is no port is an error that names it", () => {
    const container = nginx([], { "cert-sidecar.port": "https" });
    expect(() => tlsPort("nginx-1", container, {})).toThrow(/nginx-1 has the label cert-sidecar\.port="https"/);
  });

  test("HTTPS may be off only when NGINX_HTTPS_ENABLED is false, in any case", () => {
    expect(whyHttpsMayBeOff(nginx(["NGINX_HTTPS_ENABLED=False"]))).toBe("NGINX_HTTPS_ENABLED is False there");
    for (const value of ["", "true", "auto", "falsely"]) {
      expect(whyHttpsMayBeOff(nginx([`NGINX_HTTPS_ENABLED=${value}`]))).toBeUndefined();
    }
    expect(whyHttpsMayBeOff(nginx([]))).toBeUndefined();
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
