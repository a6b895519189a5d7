import { describe, expect, test } from "vitest";
import { chooseAddress, urlHost } from "../../../src/target/docker/container-address.ts";
import type { Container, NetworkEndpoint } from "../../../src/target/docker/container.ts";

function container(id: string, networks: readonly NetworkEndpoint[], networkMode = "shop_default"): Container {
  const namespaceOf = networkMode.replace(/^container:/, "");
  return {
    id,
    name: id,
    status: "running",
    exitCode: 0,
    labels: {},
    env: {},
    imageId: "sha256:0",
    networkMode,
    networks,
    namespaceOf: networkMode.startsWith("container:") ? namespaceOf : id,
    mounts: [],
    stopSignal: undefined,
    restartPolicy: "always",
    startedAt: undefined,
    isStarting: false,
    isRestarted: true,
  };
}

const front: NetworkEndpoint = { name: "front", id: "n1", ipv4: "172.18.0.3", gateway4: "172.18.0.1" };
const back: NetworkEndpoint = { name: "back", id: "n2", ipv4: "172.19.0.3", gateway4: "172.19.0.1" };
const six: NetworkEndpoint = { name: "six", id: "n6", ipv6: "fd00::3", gateway6: "fd00::1" };

describe("the address of a target", () => {
  test("is the one on the network that we share, whatever order its networks have", () => {
    const us = container("us", [{ ...back, ipv4: "172.19.0.9" }]);
    expect(chooseAddress(us, container("nginx", [front, back]))).toMatchObject({
      kind: "address",
      address: "172.19.0.3",
    });
  });

  test("is found by the network's id: two projects can have networks of one name", () => {
    const us = container("us", [{ ...front, id: "other" }]);
    expect(chooseAddress(us, container("nginx", [front]))).toEqual({
      kind: "no-common-network",
      ours: ["front"],
      theirs: ["front"],
    });
  });

  test("is IPv4 where both are there, and IPv6 on a network that has nothing else", () => {
    const us = container("us", [front, six]);
    expect(chooseAddress(us, container("nginx", [six, front]))).toMatchObject({
      kind: "address",
      address: "172.18.0.3",
    });
    expect(chooseAddress(us, container("nginx", [six]))).toMatchObject({ kind: "address", address: "fd00::3" });
  });

  test("is any of its addresses when we run on the Docker host or its network", () => {
    expect(chooseAddress(undefined, container("nginx", [back]))).toMatchObject({
      kind: "address",
      address: "172.19.0.3",
    });
    const us = container("us", [], "host");
    expect(chooseAddress(us, container("nginx", [back]))).toMatchObject({ kind: "address", address: "172.19.0.3" });
  });

  test("is our gateway for a target on the host's network, and loopback when we are there too", () => {
    const target = container("nginx", [{ name: "host", id: "h" }], "host");
    expect(chooseAddress(container("us", [back]), target)).toMatchObject({ kind: "address", address: "172.19.0.1" });
    expect(chooseAddress(container("us", [six]), target)).toMatchObject({ kind: "address", address: "fd00::1" });
    expect(chooseAddress(undefined, target)).toMatchObject({ kind: "address", address: "127.0.0.1" });
    expect(chooseAddress(container("us", [], "host"), target)).toMatchObject({ kind: "address", address: "127.0.0.1" });
  });

  test("is loopback when one lives in the other's network namespace", () => {
    const expected = { kind: "address", address: "127.0.0.1" };
    expect(chooseAddress(container("us", [], "container:nginx"), container("nginx", [front]))).toMatchObject(expected);
    expect(chooseAddress(container("us", [front]), container("nginx", [], "container:us"))).toMatchObject(expected);
  });

  test("has others beside it, of each family and network that may lead there", () => {
    const us = container("us", [front, six]);
    const [both, shared] = [{ ...front, ipv6: "fd01::3", gateway6: "fd01::1" }, container("nginx", [front, back, six])];
    expect(chooseAddress(us, shared)).toMatchObject({ others: ["fd00::3"] });
    expect(chooseAddress(undefined, shared)).toMatchObject({ others: ["172.19.0.3", "fd00::3"] });
    expect(chooseAddress(us, container("nginx", [both]))).toMatchObject({ others: [] });
    expect(chooseAddress(container("us", [both]), container("nginx", [both]))).toMatchObject({ others: ["fd01::3"] });
    expect(chooseAddress(container("us", [both]), container("nginx", [], "host"))).toMatchObject({
      others: ["fd01::1"],
    });
    expect(chooseAddress(container("us", [], "container:nginx"), container("nginx", [front]))).toMatchObject({
      others: ["::1", "172.18.0.3"],
    });
  });

  test("is missing, with both sides' networks named, when there is no common network or no address", () => {
    const none = { kind: "no-common-network", ours: ["back"], theirs: ["front"] };
    expect(chooseAddress(container("us", [back]), container("nginx", [front]))).toEqual(none);
    const bare = container("nginx", [], "none");
    expect(chooseAddress(container("us", [back]), bare)).toMatchObject({ theirs: ["none"] });
    expect(chooseAddress(container("us", [front]), container("nginx", [{ name: "front", id: "n1" }]))).toMatchObject({
      kind: "no-common-network",
    });
  });

  test("stands in brackets in a URL when it is IPv6", () => {
    expect(urlHost("fd00::3")).toBe("[fd00::3]");
    expect(urlHost("172.18.0.3")).toBe("172.18.0.3");
  });
});
