import { isIP } from "node:net";
import { identifierKey, type Identifier, type WantedCertificate } from "../certificate/index.ts";
import { readWanted, splitDomainList, tryIdentifier, type TypedName } from "./domains.ts";
import type { MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";
import { parseLineageName } from "./parse-values.ts";

/** The certificates that are wanted, and where a name of theirs was typed. */
export type ChosenCertificates = {
  readonly wanted: readonly WantedCertificate[];
  readonly settingOf: (identifier: Identifier) => string;
};

/**
 * Joins `CERTBOT_DOMAIN` with `-d` and `--ip-address`, whose names belong to the first certificate or are the only ones,
 * and with `--cert-name`.
 * Mistakes go to `mistakes`.
 */
export function chooseCertificates(
  text: string | undefined,
  options: ParsedOptions,
  mistakes: MistakeList,
): ChosenCertificates {
  const [first = [], ...others] = splitDomainList(text ?? "").map((names) =>
    names.map((name) => ({ text: name, setting: "CERTBOT_DOMAIN" })),
  );
  const joined = [...first, ...readDomains(options), ...readAddresses(options, mistakes)];
  const certificates = joined.length === 0 ? [] : [joined, ...others];
  const settings = new Map(
    certificates
      .flat()
      .map(({ text: name, setting }) => [keyOf(name), setting] as const)
      .toReversed(),
  );
  return {
    wanted: readWanted(certificates, mistakes, readCertName(certificates.length, options, mistakes)),
    settingOf: (identifier) => settings.get(identifierKey(identifier)) ?? "CERTBOT_DOMAIN",
  };
}

function keyOf(name: string): string {
  const identifier = tryIdentifier(name);
  return typeof identifier === "string" ? name : identifierKey(identifier);
}

function readDomains(options: ParsedOptions): TypedName[] {
  return splitLists(options.get("--domain")).map((text) => ({ text, setting: "CERTBOT_OPTIONS -d" }));
}

function readAddresses(options: ParsedOptions, mistakes: MistakeList): TypedName[] {
  const setting = "CERTBOT_OPTIONS --ip-address";
  const typed = splitLists(options.get("--ip-address"));
  const isAddress = (text: string) => isIP(text.replace(/^\[(.*)\]$/, "$1")) !== 0;
  for (const value of typed.filter((text) => !isAddress(text)))
    mistakes.add({ setting, value, problem: "is no IP address" });
  return typed.filter(isAddress).map((text) => ({ text, setting }));
}

function splitLists(lists: readonly string[] = []): string[] {
  return lists.flatMap((list) => list.split(/[\s,]+/).filter((text) => text !== ""));
}

function readCertName(certificates: number, options: ParsedOptions, mistakes: MistakeList): string | undefined {
  const setting = "CERTBOT_OPTIONS --cert-name";
  const typed = optionValue(options, "--cert-name");
  const name = mistakes.attempt(setting, typed, parseLineageName, undefined);
  if (name !== undefined && certificates !== 1) {
    const problem = `names one certificate, and CERTBOT_DOMAIN asks for ${certificates}; take it out`;
    mistakes.add({ setting, value: name, problem });
  }
  return name;
}
