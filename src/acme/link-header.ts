// One link of RFC 8288 §3: a target in angle brackets and its parameters, whose values may be quoted and hold commas then.
const LINK = /<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)/g;
const RELATION = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i;

/**
 * The targets of a Link header's entries of one relation type, in order, as absolute URLs. `header` may be several headers
 * joined by commas; what can't be read is left out.
 */
export function linkTargets(header: string | undefined, relation: string, base: string): string[] {
  return [...(header ?? "").matchAll(LINK)].flatMap(([, target = "", parameters = ""]) => {
    const [, quoted, bare] = RELATION.exec(parameters) ?? [];
    const relations = (quoted ?? bare ?? "").toLowerCase().split(/\s+/);
    const url = relations.includes(relation) ? URL.parse(target, base) : null;
    return url === null ? [] : [url.href];
  });
}
