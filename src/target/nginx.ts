import type { Identifier } from "../certificate/index.ts";
import type { ServedCertificate, Target } from "../reconcile/index.ts";
import type { Place, ServerWords, TargetKind, TargetTools } from "./kind.ts";
import { explainAlert } from "./nginx-alerts.ts";
import { explainBySays, type NginxSays } from "./nginx-files.ts";
import { NginxKnowledge, type Known } from "./nginx-knowledge.ts";
import type { Listening } from "./nginx-listeners.ts";
import { whyHttpsIsOff } from "./nginx-off.ts";
import { nginxPorts } from "./nginx-settings.ts";
import { reloadNginx, testNginx } from "./nginx-commands.ts";

/** nginx in a container: our own or any other, told by `nginx -t` and `nginx -s reload`. */
export const nginx = {
  name: "nginx",
  tlsPort: (container) => nginxPorts(container).tls,
  httpPort: (container) => nginxPorts(container).http,
  whyOff: whyHttpsIsOff,
  make: makeNginx,
} satisfies TargetKind;

function makeNginx(
  place: Place,
  _argument: string,
  tools: TargetTools,
): Target & Required<Pick<Target, "tlsCheck" | "explain">> {
  const { exec, tlsCheck } = tools;
  const { name, wants, named } = place;
  const knowledge = new NginxKnowledge(place, tools);

  type Look = { readonly known: Known; readonly files?: NginxSays["files"]; readonly signal: AbortSignal };
  const look = (certificate: ServedCertificate, { known: { says, listening }, files = [], signal }: Look) => {
    const words = nginxWords(place, { ...says, files }, listening);
    const listenersOf = listening && ((one: Identifier) => listening.listenersOf(certificate.lineage, one));
    return tlsCheck(place, { certificate, words, ...(listenersOf && { listenersOf }) }, signal);
  };

  const check = async (certificate: ServedCertificate, signal: AbortSignal) => {
    const { before } = knowledge;
    const finding = before && (await look(certificate, { known: before, signal }));
    if (finding?.kind === "served") return finding;
    return look(certificate, { known: await knowledge.fresh(signal), signal });
  };

  return {
    name,
    wants,
    named,
    sharesNames: true,
    tlsCheck: check,
    explain: async (certificate, signal) => {
      const finding = await check(certificate, signal);
      if (finding.kind === "served") return finding;
      const known = await knowledge.fresh(signal);
      // No file explains an alert, and nobody is served meanwhile.
      const files = finding.isBroken ? [] : await knowledge.files(signal);
      return look(certificate, { known, files, signal });
    },
    check: async (signal, onTrial = []) => {
      const told = await testNginx(place, exec, { onTrial, signal });
      if (told) knowledge.learn(told);
    },
    checkAndApply: async (behind, signal) => {
      const onTrial = behind.map(({ lineage }) => lineage);
      const told = await testNginx(place, exec, { onTrial, reloads: true, signal });
      if (told) knowledge.learn(told);
      knowledge.reload(signal);
      return new Map();
    },
    apply: async (behind, signal) => {
      if (behind.length === 0) return new Map();
      knowledge.reload(signal);
      await reloadNginx(place, exec, signal);
      return new Map();
    },
  };
}

/** What is to say where it serves something else; `says`: what it says of that itself, as far as it was asked. */
export function nginxWords(
  { service, port }: Pick<Place, "service" | "port">,
  says: NginxSays,
  listening?: Listening,
): ServerWords {
  return {
    nothingListens: `Leave NGINX_HTTPS_ENABLED empty or set it to true and run docker compose up -d ${service}; where TLS is on another port, set NGINX_SSL_PORT or the label cert-sidecar.port.`,
    noCertificate: `Check in the configuration of ${service} that the port ${port} speaks TLS and that a server block has this name.`,
    isDefault: `Put all IP addresses into one certificate, and let no other server of ${service} be the default_server of its TLS port.`,
    explainFailure: (certificate, failed) => explainAlert(listening, { service, certificate }, failed),
    explain: (certificate) => explainBySays(says, { service, port }, certificate),
  };
}
