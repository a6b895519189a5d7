import type { Identifier } from "../certificate/index.ts";
import { ConfigurationRejectedError, type ServedCertificate, type Target } from "../reconcile/index.ts";
import { couldNotStart, outputOf } from "./docker/exec.ts";
import { certificateStepFailed, commandMissing, reloadFailed } from "./errors.ts";
import type { Place, ServerWords, TargetKind, TargetTools } from "./kind.ts";
import { explainAlert } from "./nginx-alerts.ts";
import { explainBySays, type NginxSays } from "./nginx-files.ts";
import { NginxKnowledge, type Known } from "./nginx-knowledge.ts";
import type { Listening } from "./nginx-listeners.ts";
import { OUR_FOLDER, whyHttpsIsOff } from "./nginx-off.ts";
import { nginxPorts } from "./nginx-settings.ts";

/** nginx in a container: our own or any other, told by `nginx -t` and `nginx -s reload`. */
export const nginx = {
  name: "nginx",
  tlsPort: (container) => nginxPorts(container).tls,
  httpPort: (container) => nginxPorts(container).http,
  whyOff: whyHttpsIsOff,
  make: makeNginx,
} satisfies TargetKind;

// Our own nginx folder has this script; a foreign nginx has none and reads the files at the paths it was given. A failure of
// the script is always 1, so that 126 and 127 say that there is no shell and therefore no script.
const STEP = `${OUR_FOLDER}/certificate-step.sh`;
const STEP_COMMAND = ["/bin/sh", "-c", `[ ! -f ${STEP} ] || /bin/sh ${STEP} "$@" || exit 1`, "step"];
const TEST_COMMAND = ["nginx", "-t"];
const RELOAD_COMMAND = ["nginx", "-s", "reload"];

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
      const step = await exec(place, [...STEP_COMMAND, ...onTrial], signal);
      if (step.exitCode !== 0 && !couldNotStart(step)) throw certificateStepFailed(place, outputOf(step));
      const test = await exec(place, TEST_COMMAND, signal);
      if (couldNotStart(test)) throw commandMissing(place, TEST_COMMAND, outputOf(test));
      if (test.exitCode !== 0) throw new ConfigurationRejectedError(name, outputOf(test));
    },
    // An exit code of 0 says that the master was signalled, no more: whether it took the certificate is seen by a TLS check.
    apply: async (behind, signal) => {
      if (behind.length === 0) return new Map();
      // What it is told to read now it is asked for meanwhile.
      knowledge.forget();
      knowledge.fresh(signal).catch(() => undefined);
      const reload = await exec(place, RELOAD_COMMAND, signal);
      if (reload.exitCode !== 0) throw reloadFailed(place, outputOf(reload));
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
