import { describe, expect, test } from "vitest";
import { digestSettings } from "../../../src/settings/index.ts";
import { configOf, readConfig } from "../../support/read-config.ts";

describe("an nginx that takes over by itself", () => {
  test("is asked for with nginx's own settings, as far as they are set here", () => {
    expect(configOf({}).deploy).toBeUndefined();
    expect(configOf({ CERTBOT_DEPLOY: " nginx:watch ", NGINX_UPSTREAM: "http://app" }).deploy).toEqual({ nginx: {} });
    const nginx = { NGINX_SSL_PORT: "8443", NGINX_PORT: "8080", NGINX_HTTPS_ENABLED: "false" };
    expect(configOf({ CERTBOT_DEPLOY: "nginx:watch", ...nginx }).deploy).toEqual({ nginx });
  });

  test("is no reason to try a failed order again", () => {
    expect(digestSettings(configOf({ CERTBOT_DEPLOY: "nginx:watch" }))).toBe(digestSettings(configOf({})));
  });

  test.each(["nginx:wach", "Nginx:Watch", "nginx", "verify:host-gateway:443"])("is not asked for by %s", (value) => {
    const { mistakes, deploy, areOrdersInDoubt } = readConfig({ CERTBOT_DEPLOY: value, CERTBOT_DOMAIN: "a.test" });
    const allowed = "nginx:watch, or nothing for the Docker API";
    expect(mistakes).toEqual([{ setting: "CERTBOT_DEPLOY", value, problem: "is no way to deploy", allowed }]);
    expect([deploy, areOrdersInDoubt]).toEqual([undefined, false]);
  });
});
