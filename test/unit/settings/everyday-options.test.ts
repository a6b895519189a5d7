import { describe, expect, test } from "vitest";
import { formatMistake } from "../../../src/settings/index.ts";
import { configOf, mistakesOf } from "../../support/read-config.ts";

const linesOf = (CERTBOT_OPTIONS: string) =>
  mistakesOf({ CERTBOT_DOMAIN: "a.test", CERTBOT_OPTIONS }).map(formatMistake);

describe("an option of certbot's that asks for what is done anyway", () => {
  test.each([
    "--preferred-challenges http",
    "--preferred-challenges=http-01",
    "--preferred-challenges dns,http",
    "-a webroot",
    "--authenticator=webroot",
    "--webroot -w /var/www/html",
    "--keep",
    "--reinstall",
    "--expand",
    "--renew-with-new-domains",
    "--register-unsafely-without-email",
    "--no-random-sleep-on-renew",
    "--max-log-backups 0",
    "--no-self-upgrade --no-bootstrap",
    "--text",
    "-t",
    "--tos",
    "--no-eff-email",
    "--disable-hook-validation --no-directory-hooks",
    "--disable-renew-updates",
    "--no-uir --no-staple-ocsp",
    "--http-01-port 80",
    "--config-dir /etc/letsencrypt --logs-dir /var/log/letsencrypt --work-dir /var/lib/letsencrypt",
  ])("is taken, and changes nothing: %s", (CERTBOT_OPTIONS) => {
    const plain = configOf({ CERTBOT_DOMAIN: "a.test" });
    expect(configOf({ CERTBOT_DOMAIN: "a.test", CERTBOT_OPTIONS })).toEqual(plain);
  });

  test.each(["--nginx", "--apache"])("as far as we do it is taken with a word: %s", (CERTBOT_OPTIONS) => {
    const { warnings } = configOf({ CERTBOT_DOMAIN: "a.test", CERTBOT_OPTIONS });
    expect(warnings).toEqual([expect.objectContaining({ message: expect.stringContaining("never edited") })]);
  });
});

describe("an option of certbot's that asks for something else", () => {
  test.each([
    [
      "--preferred-challenges dns",
      '--preferred-challenges="dns": is another challenge than CERTBOT_CHALLENGE has; allowed: http-01',
    ],
    ["--preferred-challenges ftp", '--preferred-challenges="ftp": is another challenge'],
    [
      "-a standalone",
      '--authenticator="standalone": proves names in another way than CERTBOT_CHALLENGE; allowed: webroot',
    ],
    ["--standalone", "--standalone: is not in this version: nginx answers"],
    ["--manual --manual-auth-hook x", "--manual: is not in this version: nginx answers"],
    ["--dns-cloudflare", "--dns-cloudflare: is not in this version: "],
    [
      "--deploy-hook 'nginx -s reload'",
      "--deploy-hook: is not in this version, which runs no hooks: nginx is reloaded by itself",
    ],
    ["--allow-subset-of-names", "--allow-subset-of-names: is not in this version: "],
    ["--must-staple", "--must-staple: is not in this version: "],
    ["--redirect", "--redirect: is nginx's to do: set NGINX_HTTP_REDIRECT"],
    ["--hsts", "--hsts: is nginx's to do: set NGINX_HSTS_MAX_AGE"],
    ["--max-log-backups many", "--max-log-backups: takes only NUMBER"],
    ["--http-01-port 8080", "--http-01-port: takes only 80"],
    ["--config-dir /srv", "--config-dir: takes only /etc/letsencrypt"],
    ["--csr x", "--csr: is an option of certbot's that is not in this version; take it out"],
    ["--issuance-timeout 60", "--issuance-timeout: is an option of certbot's that is not in this version; take it out"],
  ])("is refused with what to do: %s", (options, line) => {
    expect(linesOf(options)[0]).toContain(`CERTBOT_OPTIONS ${line}`);
  });

  test("is no near miss of another one", () => {
    expect(linesOf("--pre-hook x").join()).not.toContain("did you mean");
    expect(linesOf("--preferred-chian x")).toEqual([expect.stringContaining("did you mean --preferred-chain?")]);
  });
});
