import { readWanted, splitDomainList, type WantedCertificate } from "./domains.ts";
import type { MistakeList } from "./mistake.ts";
import { optionValue, type ParsedOptions } from "./parse-options.ts";
import { parseLineageName } from "./parse-values.ts";

/**
 * Joins `CERTBOT_DOMAIN` with `-d`, whose names belong to the first certificate or are the only one, and `--cert-name`.
 * Mistakes go to `mistakes`.
 */
export function chooseCertificates(
  text: string | undefined,
  options: ParsedOptions,
  mistakes: MistakeList,
): WantedCertificate[] {
  const [first = [], ...others] = splitDomainList(text ?? "").map((names) =>
    names.map((name) => ({ text: name, setting: "CERTBOT_DOMAIN" })),
  );
  const added = (options.get("--domain") ?? []).flatMap((list) => list.split(/[\s,]+/).filter((name) => name !== ""));
  const joined = [...first, ...added.map((name) => ({ text: name, setting: "CERTBOT_OPTIONS -d" }))];
  const certificates = joined.length === 0 ? [] : [joined, ...others];
  return readWanted(certificates, mistakes, readCertName(certificates.length, options, mistakes));
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
