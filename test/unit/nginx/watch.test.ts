import { spawnSync } from "node:child_process";
import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const LIBRARY = fileURLToPath(new URL("../../../nginx/lib", import.meta.url));

/** Runs lines after the library has been read, on a tree and an nginx folder below `root`. */
function run(root: string, lines: string, environment: Readonly<Record<string, string>> = {}): string {
  const script = `. ${LIBRARY}/files.sh; NGINX_FOLDER=${root}/nginx LETSENCRYPT_FOLDER=${root}/conf; . ${LIBRARY}/pairs.sh; . ${LIBRARY}/watch.sh\n${lines}`;
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8", env: environment });
  expect(stderr).toBe("");
  return stdout;
}

async function tree(): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(join(root, "nginx/sidecar"), { recursive: true });
  await mkdir(join(root, "conf/live/a.test"), { recursive: true });
  await mkdir(join(root, "conf/sidecar"));
  await writeFile(join(root, "conf/live/a.test/fullchain.pem"), "-----BEGIN CERTIFICATE-----\nMIIone\n");
  await writeFile(join(root, "conf/live/a.test/privkey.pem"), "-----BEGIN PRIVATE KEY-----\nMIGone\n");
  await writeFile(join(root, "conf/sidecar/certificates"), "a.test default real a.test\n");
  // Long ago, but for what a test changes.
  for (const path of ["live", "sidecar/certificates"]) await utimes(join(root, "conf", path), 1, 1);
  return root;
}

const TELL = `TURN=""; look; before=$SEEN
tell() { if has_news; then look; if [ "$SEEN" = "$before" ]; then echo same; else echo news; fi; else echo nothing; fi; before=$SEEN; }
`;

test.each([
  ["nginx:watch", true],
  ["  nginx:watch ", true],
  ["nginx:watch\r", true],
  ["", false],
  ["nginx", false],
  ["xnginx:watchx", false],
])("CERTBOT_DEPLOY=%j: whether nginx watches is %j", async (value, isWatching) => {
  const said = run(await temporaryFolder(), "if is_watching; then echo yes; fi", { CERTBOT_DEPLOY: value });
  expect(said).toBe(isWatching ? "yes\n" : "");
});

describe("what nginx's watch takes for news", () => {
  test.each([
    ["nothing", ":", "nothing"],
    ["another list", 'echo "b.test - real b.test" >>"$LETSENCRYPT_FOLDER/sidecar/certificates"', "news"],
    [
      "a certificate of its own time that was put back",
      'echo "-\nMIItwo" >new; touch -d @5 new; mv new "$LETSENCRYPT_FOLDER/live/a.test/fullchain.pem"',
      "news",
    ],
    ["another key alone", 'echo "-\nMIGtwo" >"$LETSENCRYPT_FOLDER/live/a.test/privkey.pem"', "news"],
    ["a pair that is gone", 'rm "$LETSENCRYPT_FOLDER/live/a.test/fullchain.pem"', "news"],
    [
      "a pipe in a certificate's place",
      'cd "$LETSENCRYPT_FOLDER/live/a.test"; rm fullchain.pem; mkfifo fullchain.pem',
      "news",
    ],
    ["a folder with no pair in it", 'mkdir "$LETSENCRYPT_FOLDER/live/.a.test.2"', "same"],
    [
      "another list, by a clock that has been set back since the look",
      'touch -d 2099-01-01 nginx/sidecar/looked-at; echo "b.test - real b.test" >>"$LETSENCRYPT_FOLDER/sidecar/certificates"',
      "news",
    ],
    [
      "a new pair, by a clock that has been set back since the look",
      'touch -d 2099-01-01 nginx/sidecar/looked-at; mkdir "$LETSENCRYPT_FOLDER/live/b.test"; echo >"$LETSENCRYPT_FOLDER/live/b.test/fullchain.pem"',
      "news",
    ],
    [
      "a first list, by a clock that has been set back since the look",
      'list="$LETSENCRYPT_FOLDER/sidecar/certificates"; mv "$list" kept; look; before=$SEEN; touch -d 2099-01-01 nginx/sidecar/looked-at; mv kept "$list"',
      "news",
    ],
    ["a clock that has been set back, and nothing else", "touch -d 2099-01-01 nginx/sidecar/looked-at", "nothing"],
    ["a time that lies in the future", 'touch -d "next year" "$LETSENCRYPT_FOLDER/live"', "same"],
  ])("%s", async (_, change, expected) => {
    const root = await tree();
    // Twice: what has been seen is no news any more.
    const said = run(root, `cd ${root}; ${TELL} ${change}; tell; tell`, { PATH: process.env["PATH"] ?? "" }).split(
      "\n",
    );
    expect(said[0]).toBe(expected);
    expect(said[1]).not.toBe("news");
  });

  test("of many pairs each is looked at when its turn comes", async () => {
    const root = await tree();
    for (const name of ["b.test", "c.test"]) {
      await mkdir(join(root, "conf/live", name));
      await writeFile(join(root, "conf/live", name, "fullchain.pem"), "-\nMIIone\n");
    }
    await utimes(join(root, "conf/live"), 1, 1);
    const change = `printf -- '-\\nMIItwo\\n' >${root}/conf/live/b.test/fullchain.pem`;
    const said = run(root, `${TELL} tell; ${change}; tell; tell; tell`, { PATH: process.env["PATH"] ?? "" });
    expect(
      said
        .trim()
        .split("\n")
        .filter((one) => one === "news"),
    ).toHaveLength(1);
  });
});

test.each([
  [[".a.test.1", ".a.test.2"], ".a.test.2", ".a.test.1"],
  [[".a.test.1-1", ".a.test.1"], ".a.test.1", ".a.test.1-1"],
  [[".a.test.2"], ".a.test.2", "none"],
  // Of the lineages a.test.1 and a.test.de.
  [[".a.test.3", ".a.test.1.2", ".a.test.de.2"], ".a.test.3", "none"],
])("of %j, where %s is shown, the version before is in %s", async (folders, shown, expected) => {
  const root = await temporaryFolder();
  for (const folder of folders) {
    await mkdir(join(root, "conf/live", folder), { recursive: true });
    for (const file of ["fullchain.pem", "privkey.pem"]) await writeFile(join(root, "conf/live", folder, file), "");
  }
  await symlink(shown, join(root, "conf/live/a.test"));
  const tell = 'if choose_pair_before a.test; then echo "${CERTIFICATE_FILE%/*}" "${KEY_FILE%/*}"; else echo none; fi';
  const path = join(root, "conf/live", expected);
  const environment = { PATH: process.env["PATH"] ?? "" };
  expect(run(root, `CERT_SIDECAR_STEP=watch; ${tell}`, environment)).toBe(
    expected === "none" ? "none\n" : `${path} ${path}\n`,
  );
  expect(run(root, tell, environment)).toBe("none\n");
});
