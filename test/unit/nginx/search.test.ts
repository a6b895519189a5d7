import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { seededRandom } from "../../support/seeded-random.ts";

const LIBRARY = fileURLToPath(new URL("../../../nginx/lib", import.meta.url));

/** Searches `count` parts, of which nginx doesn't take `bad`: what is found, and by how many tests. */
function search(count: number, bad: readonly number[]) {
  const script = [
    `. ${LIBRARY}/files.sh; . ${LIBRARY}/search.sh; NGINX_SAID=no; asked=0`,
    `takes() {
      asked=$((asked + 1))
      for one in ${bad.join(" ")}; do
        case "$NEWLINE$FOUND" in *"$NEWLINE$one "*) continue ;; esac
        if [ "$one" -ge "$1" ] && [ "$one" -le "$2" ]; then NGINX_SAID="no $one"; return 1; fi
      done
    }`,
    `find_refused takes ${count}; printf '%s=%s' "$asked" "$FOUND"`,
  ].join("\n");
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  const [tests = "", found = ""] = stdout.split("=");
  return { tests: Number(tests), found: found.split("\n").filter(Boolean) };
}

test("finds exactly what is refused, with nginx's words of it, by few tests", () => {
  const random = seededRandom("a search for what nginx refuses");
  for (let round = 0; round < 25; round += 1) {
    const count = Math.floor(random() * 600);
    const bad = new Set(Array.from({ length: Math.floor(random() * 5) }, () => 1 + Math.floor(random() * count)));
    const sorted = [...bad].filter((one) => one <= count).sort((a, b) => a - b);
    const { tests, found } = search(count, sorted);
    expect({ count, found }).toEqual({ count, found: sorted.map((one) => `${one} no ${one}`) });
    expect(tests).toBeLessThanOrEqual(1 + sorted.length * (1 + Math.ceil(Math.log2(Math.max(count, 1)))));
  }
});

test("gives up the rest unseen where nearly all is refused, since port 80 waits", () => {
  const { tests, found } = search(
    500,
    Array.from({ length: 500 }, (_, index) => index + 1),
  );
  expect(found).toHaveLength(500);
  expect(tests).toBeLessThan(400);
});
