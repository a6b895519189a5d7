import { certificates } from "./certificates.ts";
import { healthcheck } from "./healthcheck.ts";
import { rotateAccountKey } from "./rotate-account-key.ts";
import { status } from "./status.ts";
import { updateCert } from "./update-cert.ts";
import type { Verb } from "./verb.ts";

/** Every command. What dispatches, the help, the client's words and the links in the image are made from this list. */
export const VERBS: readonly Verb[] = [updateCert, certificates, status, rotateAccountKey, healthcheck];
