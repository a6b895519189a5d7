import { afterAll, beforeAll, expect, test } from "vitest";
import { trySettings } from "./support/settings-tried.ts";
import { createStack, type Stack } from "./support/stack.ts";
import { tellOnFailure } from "./support/tell-on-failure.ts";

const GOOD = {
  CERTBOT_DOMAIN: "demo.test",
  CERTBOT_SERVER: "https://pebble:14000/dir",
  CERTBOT_CA_BUNDLE: "/etc/letsencrypt/demo-ca.pem",
  CERTBOT_WEBROOT_PATH: "",
};

// Somebody else's web server, which the CA finds under a name of its own.
const OVERRIDE = `services:
  other:
    image: \${NGINX_IMAGE:-nginx:stable}
    profiles: [demo]
  pebble:
    links: ["other:elsewhere.test"]
`;

const NO_ORDER = [
  {
    trouble: "a CA whose name doesn't resolve",
    settings: { CERTBOT_SERVER: "https://pebbles:14000/dir" },
    code: "ACME_UNREACHABLE",
    message: /No answer from the CA at https:\/\/pebbles:14000: the name pebbles does not resolve/,
    remedy: /Check CERTBOT_SERVER for a typo/,
  },
  {
    trouble: "a CA that refuses the connection",
    settings: { CERTBOT_SERVER: "https://pebble:14001/dir" },
    code: "ACME_UNREACHABLE",
    message: /No answer from the CA at https:\/\/pebble:14001: the connection was refused/,
    remedy: /Check host and port in CERTBOT_SERVER/,
  },
  {
    trouble: "a CA whose own certificate isn't trusted",
    settings: { CERTBOT_CA_BUNDLE: "" },
    code: "ACME_UNTRUSTED",
    message:
      /The HTTPS certificate of the CA at https:\/\/pebble:14000 is not trusted: unable to verify the first certificate(?!;)/,
    remedy: /name it in CERTBOT_CA_BUNDLE/,
  },
];

const FAILED_PROOF = [
  {
    trouble: "a name that doesn't resolve",
    settings: { CERTBOT_DOMAIN: "nowhere.test" },
    code: "ACME_CHALLENGE_UNREACHABLE",
    message: /The CA could not verify nowhere\.test: .*lookup nowhere\.test/,
    remedy: /check that the name's A and AAAA records point to it; then run update-cert/,
  },
  {
    trouble: "a name whose port 80 is answered by something else",
    settings: { CERTBOT_DOMAIN: "elsewhere.test" },
    code: "ACME_CHALLENGE_WRONG_ANSWER",
    message: /The CA could not verify elsewhere\.test: .*returned 404/,
    remedy: /Check that the name's A and AAAA records point to this machine and that nginx serves/,
  },
  {
    trouble: "a webroot that nginx doesn't see",
    settings: { CERTBOT_WEBROOT_PATH: "/tmp" },
    code: "ACME_CHALLENGE_WRONG_ANSWER",
    // The sidecar's own look through nginx says it before the CA does, and the likeliest cause with the CA's words.
    advice:
      /demo\.test: warning: nginx at http:\S+ answered 404 for the challenge of demo\.test: it doesn't see \/tmp, .*\n {2}what to do: Mount the same folder at \/tmp in nginx and in the sidecar/,
    message:
      /The CA could not verify demo\.test: .*returned 404 \(seen from here before: nginx at http:\S+ answered 404 .*: it doesn't see \/tmp, or /,
    remedy: /Mount the same folder at \/tmp in nginx and in the sidecar/,
  },
];

const NO_WARNING = /^(?![^]*warning)/;

let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ override: OVERRIDE });
  await stack.up("nginx", "pebble", "other");
});
afterAll(() => stack?.remove());
tellOnFailure(() => stack);

test.each([...NO_ORDER, ...FAILED_PROOF])(
  "$trouble is told in the other side's words, with a remedy, by the log and by update-cert",
  async ({ settings, code, message, remedy, ...more }) => {
    const ordersBefore = await stack.orders();
    const { update, errors, healthcheck, container } = await trySettings(stack, { ...GOOD, ...settings });

    expect(update.code).toBe(1);
    expect(update.stdout).toMatch(/: FAILED, next try by itself /);
    expect(update.stdout).toMatch("advice" in more ? more.advice : NO_WARNING);
    expect(update.stderr).toMatch(message);
    expect(update.stderr).toContain(`[${code}]\n  what to do: `);
    expect(update.stderr).toMatch(remedy);

    // Once for the daemon's own try at its start, once for the command's.
    expect(errors).toHaveLength(2);
    for (const error of errors) {
      expect(error).toMatchObject({
        event: "lineage.failed",
        code,
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(remedy),
      });
    }

    expect(healthcheck).toMatchObject({ code: 1, stdout: expect.stringMatching(message) });
    expect(container).toBe("running 0");
    const isOrdered = FAILED_PROOF.some((one) => one.settings === settings);
    expect((await stack.orders()) - ordersBefore).toBe(isOrdered ? 2 : 0);
  },
);
