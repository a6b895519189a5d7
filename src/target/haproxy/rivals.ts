import { mapLimited } from "../../certificate/index.ts";
import type { ServedCertificate } from "../../reconcile/index.ts";
import type { Haproxy } from "./converge.ts";
import { isOurs, readCertificates, readManaged } from "./crt-list.ts";

/** Why HAProxy presents a certificate that isn't ours. */
export type Rival = { readonly because: string; readonly remedy: string };

// For people, once something is wrong; the first that has the name is enough.
const MOST_ASKED = 50;
const ASKED_AT_ONCE = 4;

/**
 * A certificate of HAProxy's own configuration, or of its own ACME, that has a name of ours: those are the operator's, and are left
 * alone. Undefined where there is none, or nobody knows. Throws only the signal's reason.
 */
export async function findRival(
  { api, paths }: Haproxy,
  { identifiers }: ServedCertificate,
  signal: AbortSignal,
): Promise<Rival | undefined> {
  try {
    const managed = readManaged(await api.ask("acme status", signal));
    const { known } = readCertificates(await api.ask("show ssl cert", signal));
    const others = [...known].filter((path) => !isOurs(paths, path)).slice(0, MOST_ASKED);
    const found = await mapLimited(others, ASKED_AT_ONCE, async (path) => {
      const names = namesIn(await api.ask(`show ssl cert ${path}`, signal));
      const shared = identifiers.find(({ value }) => names.has(value));
      return shared && describe(path, shared.value, managed.has(path));
    });
    return found.find((rival) => rival !== undefined);
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

// "Subject Alternative Name: DNS:a.test, DNS:www.a.test"
function namesIn(answer: string): ReadonlySet<string> {
  const line = answer.split("\n").find((one) => one.startsWith("Subject Alternative Name:")) ?? "";
  const parts = line.slice(line.indexOf(":") + 1).split(",");
  return new Set(
    parts.map((part) =>
      part
        .slice(part.indexOf(":") + 1)
        .trim()
        .toLowerCase(),
    ),
  );
}

function describe(path: string, name: string, isManaged: boolean): Rival {
  if (isManaged)
    return {
      because: `: HAProxy renews ${path} with the name ${name} by an ACME of its own, which is left alone`,
      remedy: `Take ${name} out of HAProxy's acme certificate, or out of CERTBOT_DOMAIN.`,
    };
  return {
    because: `: HAProxy's own configuration has ${path} with the name ${name}`,
    remedy: `Take ${path} out of HAProxy's configuration and restart it, or take ${name} out of CERTBOT_DOMAIN.`,
  };
}
