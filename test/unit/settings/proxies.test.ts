import { describe, expect, test } from "vitest";
import { KINDS } from "../../../src/app/build.ts";
import { describeSettings, formatMistake, settingsWith } from "../../../src/settings/index.ts";
import { configOf, mistakesOf, readConfig } from "../../support/read-config.ts";

const PROXY = "http://proxy.test:3128/";

describe("the proxy", () => {
  test("is read in both ways that people write it; the lower case beats the other, as everywhere", () => {
    expect(configOf({ HTTPS_PROXY: PROXY }).proxies).toEqual({ HTTPS_PROXY: PROXY });
    expect(configOf({ https_proxy: "HTTP://proxy.test:3128", HTTPS_PROXY: "http://other.test" }).proxies).toEqual({
      HTTPS_PROXY: PROXY,
    });
    const all = { HTTP_PROXY: PROXY, https_proxy: "https://u:p@proxy.test", no_proxy: "localhost,.test" };
    expect(configOf(all).proxies).toEqual({
      HTTP_PROXY: PROXY,
      HTTPS_PROXY: "https://u:p@proxy.test/",
      NO_PROXY: "localhost,.test",
    });
    expect(configOf({}, { dotenvText: `HTTPS_PROXY=${PROXY}` }).proxies).toEqual({ HTTPS_PROXY: PROXY });
    expect(configOf({ NO_PROXY: " " }).proxies).toBeUndefined();
  });

  test.each([
    "proxy:3128",
    "proxy.test",
    "10.0.0.1:3128",
    "socks5://proxy.test:1080",
    "//proxy",
    "http:proxy",
    "http://",
  ])("that Node would pass over without a word is a mistake: %s", (value) => {
    for (const name of ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]) {
      const [mistake, ...others] = mistakesOf({ CERTBOT_DOMAIN: "a.test", [name]: value });
      expect(others).toEqual([]);
      expect(mistake).toMatchObject({ setting: name, value, problem: expect.stringContaining("is no proxy") });
      expect(mistake?.allowed).toContain("http://proxy.your-site.org:3128");
    }
    expect(readConfig({ HTTPS_PROXY: value }).areOrdersInDoubt).toBe(true);
  });

  test.each(["socks5://me:hunter2@proxy.test", "me:hunter2@proxy:3128"])("never shows its password: %s", (value) => {
    const sources = { environment: { HTTPS_PROXY: value, http_proxy: value } };
    const shown = [
      ...mistakesOf(sources.environment).map(formatMistake),
      ...describeSettings(sources, settingsWith(KINDS)),
    ];
    expect(shown.filter((line) => /_proxy/i.test(line))).toHaveLength(4);
    expect(shown.join("\n")).not.toContain("hunter2");
  });
});
