import { describe, expect, test } from "vitest";
import { digestSettings } from "../../../src/settings/index.ts";
import { configOf, readConfig } from "../../support/read-config.ts";

const ALLOWED =
  "nginx:watch, service:NAME or service:PROJECT/NAME of compose, verify:HOST:PORT (like verify:host-gateway:443, an IPv6 address in brackets), several with blanks between, or nothing for the Docker API";
const WATCH = { kind: "watch", word: "nginx:watch" };
const verify = (host: string, port: number, word: string) => ({ kind: "verify", word, host, port });
const mistakeOf = (value: string) => {
  const { mistakes, deploy, areOrdersInDoubt } = readConfig({ CERTBOT_DEPLOY: value, CERTBOT_DOMAIN: "a.test" });
  expect([deploy, areOrdersInDoubt]).toEqual([undefined, false]);
  expect(mistakes).toMatchObject([{ setting: "CERTBOT_DEPLOY", value }]);
  return mistakes[0];
};

describe("an nginx that takes over by itself", () => {
  test("is asked for with nginx's own settings, as far as they are set here", () => {
    expect(configOf({}).deploy).toBeUndefined();
    const alone = configOf({ CERTBOT_DEPLOY: " nginx:watch ", NGINX_UPSTREAM: "http://app" });
    expect(alone.deploy).toEqual([{ ...WATCH, nginx: {} }]);
    const nginx = { NGINX_SSL_PORT: "8443", NGINX_PORT: "8080", NGINX_HTTPS_ENABLED: "false" };
    expect(configOf({ CERTBOT_DEPLOY: "nginx:watch", ...nginx }).deploy).toEqual([{ ...WATCH, nginx }]);
  });

  test("is no reason to try a failed order again", () => {
    expect(digestSettings(configOf({ CERTBOT_DEPLOY: "nginx:watch" }))).toBe(digestSettings(configOf({})));
  });

  test.each(["nginx:wach", "Nginx:Watch", "nginx", "Verify:host-gateway:443", "verify"])(
    "is not asked for by %s",
    (value) => {
      expect(mistakeOf(value)).toMatchObject({ problem: "is no way to deploy", allowed: ALLOWED });
    },
  );
});

describe("a compose service", () => {
  const named = (word: string, service: string, project?: string) => ({ kind: "service", word, service, project });

  test("is named alone, or with its project, several with blanks between and beside other ways, each once", () => {
    const value = "service:Web.1  service:my-shop_2/front nginx:watch service:Web.1";
    expect(configOf({ CERTBOT_DEPLOY: value }).deploy).toEqual([
      named("service:Web.1", "Web.1"),
      named("service:my-shop_2/front", "front", "my-shop_2"),
      { ...WATCH, nginx: {} },
    ]);
  });

  test.each([
    "service:",
    "service:/web",
    "service:shop/",
    "service:Shop/web",
    "service:a/b/c",
    "service:web,mail",
    "service:wéb",
  ])("is not named by %s", (value) => {
    expect(mistakeOf(value)).toMatchObject({ problem: "names no compose service", allowed: ALLOWED });
  });
});

describe("a server that is looked at where it is", () => {
  test.each([
    ["verify:host-gateway:443", verify("host-gateway", 443, "verify:host-gateway:443")],
    ["verify:Shop.Example.ORG:65535", verify("shop.example.org", 65_535, "verify:shop.example.org:65535")],
    ["verify:web_1:1", verify("web_1", 1, "verify:web_1:1")],
    ["verify:172.17.0.1:8443", verify("172.17.0.1", 8443, "verify:172.17.0.1:8443")],
    ["verify:[2001:db8::1]:443", verify("2001:db8::1", 443, "verify:[2001:db8::1]:443")],
  ])("is named by %s", (value, way) => {
    expect(configOf({ CERTBOT_DEPLOY: value }).deploy).toEqual([way]);
  });

  test("may be one of several, each once, beside our own nginx, too", () => {
    const value = "verify:a.test:443 verify:a.test:8443  nginx:watch verify:A.test:443";
    expect(configOf({ CERTBOT_DEPLOY: value }).deploy).toEqual([
      verify("a.test", 443, "verify:a.test:443"),
      verify("a.test", 8443, "verify:a.test:8443"),
      { ...WATCH, nginx: {} },
    ]);
  });

  test.each([
    ["verify:", "has no host and port that can be told apart"],
    ["verify:host-gateway", "has no host and port that can be told apart"],
    ["verify:https://shop.example.org:443", "has no host and port that can be told apart"],
    ["verify:2001:db8::1:443", "has no host and port that can be told apart"],
    ["verify::443", 'names "", which is no host'],
    ["verify:[172.17.0.1]:443", 'names "172.17.0.1", which is no host'],
    ["verify:[fe80::1%eth0]:443", 'names "fe80::1%eth0", which is no host'],
    ["verify:[::]:443", 'names "::", which is no host'],
    ["verify:0.0.0.0:443", 'names "0.0.0.0", which is no host'],
    ["verify:256.1.1.1:443", 'names "256.1.1.1", which is no host'],
    ["verify:a..test:443", 'names "a..test", which is no host'],
    ["verify:-a.test:443", 'names "-a.test", which is no host'],
    ["verify:a.test:0", 'names "0", which is no port'],
    ["verify:a.test:65536", 'names "65536", which is no port'],
    ["verify:a.test:0443", 'names "0443", which is no port'],
    ["verify:a.test:https", 'names "https", which is no port'],
    ["verify:a.test:443,verify:b.test:443", "has no host and port that can be told apart"],
    ["verify:a.test:443,nginx", 'names "443,nginx", which is no port'],
    ["nginx:watch verify:a.test", "has no host and port that can be told apart"],
  ])("is not named by %s", (value, problem) => {
    expect(mistakeOf(value)).toMatchObject({ problem, allowed: ALLOWED });
  });
});
