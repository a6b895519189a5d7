import { describe, expect, test } from "vitest";
import { containerIdFromMounts } from "../../../src/target/docker/own-container.ts";

const ID = "ab".repeat(32);
const OTHER = "cd".repeat(32);

function mount(root: string, mountPoint: string): string {
  return `901 880 254:1 ${root} ${mountPoint} rw,relatime - ext4 /dev/vda1 rw`;
}

describe("our own container's id", () => {
  test("is read from the mounts that the engine makes for a container", () => {
    const text = [
      "22 1 0:20 / / rw - overlay overlay rw",
      mount(`/var/lib/docker/containers/${ID}/hostname`, "/etc/hostname"),
    ];
    expect(containerIdFromMounts(text.join("\n"))).toBe(ID);
  });

  test("is found with a data folder elsewhere, as a subvolume, and with podman", () => {
    expect(containerIdFromMounts(mount(`/@data/docker/containers/${ID}/hosts`, "/etc/hosts"))).toBe(ID);
    const podman = `/containers/storage/overlay-containers/${ID}/userdata/resolv.conf`;
    expect(containerIdFromMounts(mount(podman, "/etc/resolv.conf"))).toBe(ID);
    const btrfs = podman.replace("overlay", "btrfs");
    expect(containerIdFromMounts(mount(btrfs, "/etc/resolv.conf"))).toBe(ID);
  });

  test("is the inner one for an engine that runs in a container itself", () => {
    const root = `/var/lib/docker/containers/${OTHER}/volume/docker/containers/${ID}/hostname`;
    expect(containerIdFromMounts(mount(root, "/etc/hostname"))).toBe(ID);
  });

  test("is not another container's, whose folder the Docker host or a monitoring container has mounted", () => {
    const shm = `/var/lib/docker/containers/${OTHER}/mounts/shm`;
    expect(containerIdFromMounts(mount("/", shm))).toBeUndefined();
    expect(containerIdFromMounts(mount(`/var/lib/docker/containers/${OTHER}/x`, "/host/docker"))).toBeUndefined();
  });

  test("is unknown outside a container", () => {
    expect(containerIdFromMounts("")).toBeUndefined();
    expect(containerIdFromMounts("22 1 0:20 / / rw - ext4 /dev/vda1 rw\n\n")).toBeUndefined();
  });
});
