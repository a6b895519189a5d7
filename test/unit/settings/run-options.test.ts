import { describe, expect, test } from "vitest";
import { mergeCommandOptions, UsageError } from "../../../src/settings/index.ts";
import { configOf } from "../../support/read-config.ts";

const config = configOf({ CERTBOT_DOMAIN: "a.test" });

describe("update-cert", () => {
  test("without options does what the settings say", () => {
    expect(mergeCommandOptions(config, [])).toEqual({
      isRehearsal: false,
      isForced: false,
      order: undefined,
      only: undefined,
      json: false,
      verbose: false,
      quiet: false,
    });
  });

  test("takes all its options", () => {
    const words = ["--dry-run", "--force-renewal", "--staging", "--cert-name", "a.test-0001", "--json", "-vq"];
    expect(mergeCommandOptions(config, words)).toEqual({
      isRehearsal: true,
      isForced: true,
      order: { directoryUrl: "https://acme-staging-v02.api.letsencrypt.org/directory" },
      only: { lineage: "a.test-0001" },
      json: true,
      verbose: true,
      quiet: true,
    });
  });

  test("obeys what stays in CERTBOT_OPTIONS, since it is an explicit call", () => {
    const kept = configOf({ CERTBOT_OPTIONS: "--dry-run --force-renewal -v" });
    expect(mergeCommandOptions(kept, [])).toMatchObject({ isRehearsal: true, isForced: true, verbose: true });
  });

  test("takes a lineage by whatever name certbot gave it", () => {
    expect(mergeCommandOptions(config, ["--cert-name", "My Shop_1"]).only).toEqual({ lineage: "My Shop_1" });
    expect(() => mergeCommandOptions(config, ["--cert-name", "../up"])).toThrow(UsageError);
  });

  test("refuses what it doesn't know, all at once, with how to call it", () => {
    let error: unknown;
    try {
      mergeCommandOptions(config, ["--dry-rum", "now", "-d", "b.test"]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: "USAGE_INVALID", remedy: expect.stringContaining("update-cert [--dry-run]") });
    // "now" may be the value of the unknown option, so it is no mistake of its own.
    expect(String(error).split("\n").slice(1)).toEqual([
      "update-cert --dry-rum: is no option of this version; did you mean --dry-run?",
      "update-cert -d: belongs in CERTBOT_OPTIONS or its own setting in .env, so that renewals know it too",
    ]);
  });

  test("refuses --staging at a CA without one, and names --dry-run", () => {
    const pebble = configOf({ CERTBOT_SERVER: "https://pebble:14000/dir" });
    expect(() => mergeCommandOptions(pebble, ["--staging"])).toThrow("use --dry-run");
  });
});
