import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createEngine } from "../../../src/target/docker/engine.ts";
import { createStorageProbe } from "../../../src/target/docker/storage-probe.ts";
import { systemClock } from "../../../src/system/index.ts";
import { answer, inspectedContainer, startFakeEngine, type FakeEngine } from "../../support/fake-engine.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const NEVER = new AbortController().signal;
const ID = "ab".repeat(32);
const ANONYMOUS = "cd".repeat(32);
const FOLDER = "/etc/letsencrypt";

// As Docker 20.10 on ext4 makes them, but for the length of the overlay's options.
const ROOT = "115 66 0:50 / / rw,relatime master:3 - overlay overlay rw,lowerdir=/l:/m,upperdir=/u,workdir=/w";
const ON_EXT4 = "- ext4 /dev/vda rw,discard";
const HOSTNAME = `133 115 254:0 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw,relatime ${ON_EXT4}`;
const CONTAINER = [ROOT, "118 117 0:55 / /dev/pts rw - devpts devpts rw,gid=5", HOSTNAME];
const BIND = `132 115 254:0 /srv/my\\040shop/conf ${FOLDER} rw,relatime ${ON_EXT4}`;

function tmpfsOn(mountPoint: string, root = "/"): string {
  return `135 115 0:59 ${root} ${mountPoint} rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw`;
}

let fake: FakeEngine | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

type Machine = {
  readonly lines: readonly string[];
  readonly folder?: string;
  readonly mounts?: readonly object[];
  /** HostConfig.Binds: the mounts that were asked for as `-v <what>:<folder>`. */
  readonly binds?: readonly string[];
};

/** The probe in a container with these mounts; without `mounts` of its own, Docker is silent. */
async function probeIn({ lines, folder = FOLDER, mounts, binds }: Machine) {
  fake = await startFakeEngine((path, response) => {
    if (mounts === undefined) return answer(response, { message: "no" }, 500);
    const ours = { ...inspectedContainer({ id: ID }), Mounts: mounts, HostConfig: { Binds: binds ?? null } };
    return path.includes(`/containers/${ID}/`) ? answer(response, ours) : answer(response, {}, 404);
  });
  const engine = createEngine({ docker: fake.address, clock: systemClock, timeouts: { callMs: 5000, execMs: 5000 } });
  const ownHints = { mountinfo: async () => lines.join("\n"), hostname: () => "web" };
  return createStorageProbe({ engine, ownHints, folder });
}

async function look(machine: Machine) {
  return (await probeIn(machine)).inspect(NEVER);
}

const lasting = { kind: "lasting" };

describe("what is on the container's own layers goes with it", () => {
  test("with no mount at all, whatever the storage driver", async () => {
    const finding = await look({ lines: CONTAINER, mounts: [] });
    expect(finding).toEqual({
      kind: "ephemeral",
      message:
        "/etc/letsencrypt is on the container's own file system (overlay): it is lost when the container is made anew",
      remedy:
        'Write "- ./volumes/certbot/conf:/etc/letsencrypt" under volumes of the certbot service and of nginx, in place of any other mount there, and run docker compose --profile certbot up -d.',
    });
    await fake?.close();
    const onBtrfs = [`22 1 0:20 /subvol / rw - btrfs /dev/vda rw`, HOSTNAME];
    expect(await look({ lines: onBtrfs })).toMatchObject({ kind: "ephemeral" });
  });

  test("with mounts on parts of the folder alone, since what we remember is in the rest", async () => {
    const live = `136 115 254:0 /srv/live ${FOLDER}/live rw ${ON_EXT4}`;
    expect(await look({ lines: [...CONTAINER, live] })).toMatchObject({ kind: "ephemeral" });
  });

  test("in a container of an engine that leaves no id: an overlay, and files of its own in /etc", async () => {
    const hosts = `133 115 254:0 /var/lib/kubelet/pods/0f/etc-hosts /etc/hosts rw,relatime ${ON_EXT4}`;
    expect(await look({ lines: [ROOT.replace("overlay", "fuse.fuse-overlayfs"), hosts] })).toMatchObject({
      kind: "ephemeral",
    });
  });

  test("with podman's drivers that give no overlay", async () => {
    const hostname = `24 22 0:25 /containers/storage/vfs-containers/${ID}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw`;
    const root = `22 1 254:0 /home/u/.local/share/containers/storage/vfs/dir/${ID} / rw ${ON_EXT4}`;
    expect(await look({ lines: [root, hostname] })).toMatchObject({ kind: "ephemeral" });
  });

  test("a disk folder that Kubernetes makes for a pod goes with the pod", async () => {
    const emptyDir = `132 115 254:0 /var/lib/kubelet/pods/0f/volumes/kubernetes.io~empty-dir/conf ${FOLDER} rw ${ON_EXT4}`;
    expect(await look({ lines: [...CONTAINER, emptyDir] })).toMatchObject({
      kind: "ephemeral",
      message: "/etc/letsencrypt is on an emptyDir volume: it is lost when the pod is made anew",
    });
  });
});

describe("what is in memory goes at the next restart", () => {
  test.each([tmpfsOn(FOLDER), tmpfsOn(FOLDER, "/conf"), tmpfsOn("/etc").replaceAll("tmpfs", "ramfs")])(
    "%s",
    async (mount) => {
      const finding = await look({ lines: [...CONTAINER, mount] });
      const message = "/etc/letsencrypt is kept in memory (tmpfs): it is lost at the next restart";
      expect(finding).toMatchObject({ kind: "ephemeral", message });
    },
  );

  test("a part of the folder is named, and what to take out", async () => {
    const finding = await look({ lines: [...CONTAINER, BIND, tmpfsOn(`${FOLDER}/live`)], mounts: [] });
    expect(finding).toMatchObject({
      kind: "ephemeral",
      message: "/etc/letsencrypt/live is kept in memory (tmpfs): it is lost at the next restart",
      remedy: expect.stringContaining("Take the mount on /etc/letsencrypt/live out of the certbot service"),
    });
  });

  test.each(["accounts/a.test/directory", "archive", "renewal", "sidecar/cas"])("also %s", async (part) => {
    const finding = await look({ lines: [...CONTAINER, BIND, tmpfsOn(`${FOLDER}/${part}`)] });
    expect(finding).toMatchObject({ kind: "ephemeral", message: expect.stringContaining(`${FOLDER}/${part} is kept`) });
  });

  test.each(["cloudflare.ini", "eab", "renewal-hooks", "logs", "csr"])(
    "a secret or what else is mounted at %s is none of it",
    async (part) => {
      expect(await look({ lines: [...CONTAINER, BIND, tmpfsOn(`${FOLDER}/${part}`)] })).toEqual(lasting);
    },
  );

  test("another folder that begins with the same letters is none of ours", async () => {
    expect(await look({ lines: [...CONTAINER, BIND, tmpfsOn(`${FOLDER}-old`)] })).toEqual(lasting);
  });

  test("what is hidden by a later mount, on it or above it, doesn't count", async () => {
    const live = tmpfsOn(`${FOLDER}/live`);
    expect(await look({ lines: [...CONTAINER, live, BIND] })).toEqual(lasting);
    await fake?.close();
    const liveOnDisk = `136 132 254:0 /srv/live ${FOLDER}/live rw ${ON_EXT4}`;
    expect(await look({ lines: [...CONTAINER, BIND, live, liveOnDisk] })).toEqual(lasting);
    await fake?.close();
    expect(await look({ lines: [...CONTAINER, BIND, liveOnDisk, live] })).toMatchObject({ kind: "ephemeral" });
    await fake?.close();
    expect(await look({ lines: [...CONTAINER, BIND, tmpfsOn("/etc")] })).toMatchObject({ kind: "ephemeral" });
  });
});

describe("an anonymous volume is left behind by the next container", () => {
  const onVolume = (name: string) =>
    `132 115 254:0 /var/lib/docker/volumes/${name}/_data ${FOLDER} rw,relatime master:1 ${ON_EXT4}`;

  const drawn = { Type: "volume", Name: ANONYMOUS, Driver: "local", Destination: FOLDER };

  test("and its files are to be copied first", async () => {
    expect(await look({ lines: [...CONTAINER, onVolume(ANONYMOUS)], mounts: [drawn] })).toEqual({
      kind: "ephemeral",
      message:
        "/etc/letsencrypt is on the anonymous volume cdcdcdcdcdcd: docker compose up -V, or down and up, gives the container an empty one, and docker compose rm -v deletes it",
      remedy:
        'First copy its files (docker compose --profile certbot cp -a certbot:/etc/letsencrypt/. ./volumes/certbot/conf), then write "- ./volumes/certbot/conf:/etc/letsencrypt" under volumes of the certbot service and of nginx, in place of any other mount there, and run docker compose --profile certbot up -d.',
    });
  });

  test("also where a volume driver keeps it elsewhere", async () => {
    expect(await look({ lines: [...CONTAINER, BIND], mounts: [drawn] })).toMatchObject({ kind: "ephemeral" });
  });

  test("on a part of the folder, that part is copied", async () => {
    const mounts = [{ ...drawn, Destination: `${FOLDER}/live` }];
    const live = onVolume(ANONYMOUS).replace(FOLDER, `${FOLDER}/live`);
    expect(await look({ lines: [...CONTAINER, BIND, live], mounts })).toMatchObject({
      remedy: expect.stringContaining("cp -a certbot:/etc/letsencrypt/live/. ./volumes/certbot/conf/live), then take"),
    });
  });

  test("one that somebody mounts by its name lasts, though nobody has chosen that name", async () => {
    const binds = [`${ANONYMOUS}:${FOLDER}:rw`];
    const lines = [...CONTAINER, onVolume(ANONYMOUS)];
    expect(await look({ lines, mounts: [drawn], binds })).toEqual(lasting);
  });

  test("a host folder with such a path is no volume", async () => {
    const mounts = [{ Type: "bind", Source: `/backup/volumes/${ANONYMOUS}/_data`, Destination: FOLDER }];
    expect(await look({ lines: [...CONTAINER, onVolume(ANONYMOUS)], mounts })).toEqual(lasting);
  });

  test("with Docker silent nothing is known of it, and it is looked at anew once Docker answers", async () => {
    const probe = await probeIn({ lines: [...CONTAINER, onVolume(ANONYMOUS)] });
    expect(await probe.inspect(NEVER)).toEqual(lasting);
    const asked = fake?.requests.length ?? 0;
    await probe.inspect(NEVER);
    expect(fake?.requests.length).toBeGreaterThan(asked);
  });

  test("one that has a name lasts", async () => {
    const mounts = [{ Type: "volume", Name: "shop_conf", Driver: "local", Destination: FOLDER }];
    expect(await look({ lines: [...CONTAINER, onVolume("shop_conf")], mounts })).toEqual(lasting);
  });

  test("one on another folder says nothing", async () => {
    const mounts = [
      { Type: "bind", Source: "/srv", Destination: FOLDER },
      { Type: "volume", Name: ANONYMOUS, Driver: "local", Destination: "/var/log/letsencrypt" },
    ];
    expect(await look({ lines: [...CONTAINER, BIND], mounts })).toEqual(lasting);
  });
});

describe("what is on a disk of the host lasts", () => {
  test("a bind mount, with Docker or without", async () => {
    expect(await look({ lines: [...CONTAINER, BIND] })).toEqual(lasting);
    await fake?.close();
    expect(await look({ lines: [...CONTAINER, BIND], mounts: [] })).toEqual(lasting);
  });

  test("a mount that lies over another one counts, and so does one above the folder", async () => {
    expect(await look({ lines: [...CONTAINER, tmpfsOn(FOLDER), BIND] })).toEqual(lasting);
    await fake?.close();
    expect(await look({ lines: [...CONTAINER, `132 115 254:0 /srv /etc rw ${ON_EXT4}`] })).toEqual(lasting);
  });

  test("a folder that is a link is looked at where it leads to", async () => {
    const place = await temporaryFolder();
    const folder = join(place, "letsencrypt");
    await mkdir(join(place, "disk"));
    await symlink(join(place, "disk"), folder);
    const lines = [...CONTAINER, `132 115 254:0 /srv ${place}/disk rw ${ON_EXT4}`];
    expect(await look({ lines, folder })).toEqual(lasting);
  });

  test("outside a container nothing is asked of Docker", async () => {
    expect(await look({ lines: [`27 1 254:0 / / rw,relatime ${ON_EXT4}`] })).toEqual(lasting);
    expect(fake?.requests).toEqual([]);
  });

  test("a host whose root is an overlay, as of a live system or a router", async () => {
    expect(await look({ lines: [ROOT] })).toEqual(lasting);
  });

  test("where the mounts can't be read nothing is said against it", async () => {
    expect(await look({ lines: ["", "nonsense", "1 2 3 4"] })).toEqual(lasting);
  });
});

test("it looks once, and not at all for somebody who has gone", async () => {
  const probe = await probeIn({ lines: [...CONTAINER, BIND], mounts: [] });
  await expect(probe.inspect(AbortSignal.abort(new Error("stopping")))).rejects.toThrow("stopping");
  expect(await probe.inspect(NEVER)).toEqual(lasting);
  const asked = fake?.requests.length;
  expect(await probe.inspect(NEVER)).toEqual(lasting);
  expect(fake?.requests.length).toBe(asked);
});

test("without an engine the mounts tell", async () => {
  const probeOf = (mount: string) => {
    const ownHints = { mountinfo: async () => [...CONTAINER, mount].join("\n"), hostname: () => "web" };
    return createStorageProbe({ ownHints, folder: FOLDER }).inspect(NEVER);
  };
  expect(await probeOf(BIND)).toEqual({ kind: "lasting" });
  expect(await probeOf(tmpfsOn(FOLDER))).toMatchObject({ kind: "ephemeral" });
});
