import type { IgnoredOption } from "../ports/index.ts";
import type { RenewalConf } from "./renewal-conf.ts";

/** The section of certbot's confs that says how a lineage is renewed. */
export const PARAMS = "renewalparams";

/** What a key is to us: acted on; without any effect here; or ignored, unless its value asks for nothing. */
type Use = "read" | "none" | { readonly because: string; readonly unless?: RegExp };

const UNKNOWN: Exclude<Use, string> = { because: "cert-sidecar doesn't know it" };
const NO_HOOKS: Use = { because: "this version runs no hooks" };
const FRONT: Use = { because: "nginx answers on port 80, from the webroot", unless: /^80$/ };

// What certbot writes for what nobody asked for.
const NOTHING = /^(?:none|false|)$/i;

/** All keys that certbot 5 restores from a conf (`CONFIG_ITEMS` in its renewal.py), and those of its own above them. */
export const CONF_KEYS: Readonly<Record<string, Readonly<Record<string, Use>>>> = {
  "": {
    version: "read",
    archive_dir: "none",
    cert: "read",
    chain: "none",
    fullchain: "none",
    privkey: "none",
    added_names: "read",
    renew_before_expiry: "read",
    deploy_before_expiry: { because: "what is renewed is deployed at once" },
  },
  [PARAMS]: {
    account: "read",
    authenticator: "read",
    autorenew: "read",
    cert_sidecar_challenge: "read",
    elliptic_curve: "read",
    key_type: "read",
    preferred_chain: "read",
    preferred_profile: "read",
    required_profile: "read",
    reuse_key: "read",
    rsa_key_size: "read",
    server: "read",
    webroot_path: "read",
    config_dir: "none",
    logs_dir: "none",
    work_dir: "none",
    allow_subset_of_names: { because: "a certificate has all its names or is not ordered" },
    http01_address: FRONT,
    http01_port: FRONT,
    installer: { because: "nginx is found and reloaded through Docker" },
    must_staple: { because: "CAs have ended OCSP" },
    pref_challs: { because: "CERTBOT_CHALLENGE says how names are proven", unless: /^http(?:-01)?$/ },
    renew_before_expiry: { because: "it counts above [renewalparams] alone" },
    user_agent: { because: "requests carry our own" },
    deploy_hook: NO_HOOKS,
    post_hook: NO_HOOKS,
    pre_hook: NO_HOOKS,
    renew_hook: NO_HOOKS,
  },
};

// The last is what certbot remembers of the CA's renewal information.
const SECTIONS = ["", PARAMS, `${PARAMS}/webroot_map`, "acme_renewal_info"];

/** What a conf asks for and we don't do, but for how names are proven: a key of the authenticator's belongs to that. */
export function ignoredKeys(conf: RenewalConf): IgnoredOption[] {
  const prefix = `${(conf.text(PARAMS, "authenticator") ?? "").replaceAll("-", "_")}_`;
  const keys = Object.entries(CONF_KEYS).flatMap(([section, known]) =>
    conf.keys(section).flatMap((key): IgnoredOption[] => {
      const value = conf.texts(section, key).join(", ");
      const use = known[key] ?? UNKNOWN;
      const isAsked = use === UNKNOWN || !NOTHING.test(value);
      if (typeof use === "string" || !isAsked || use.unless?.test(value)) return [];
      if (section === PARAMS && key.startsWith(prefix)) return [];
      return [{ option: `${key} = ${value}`, because: use.because }];
    }),
  );
  const sections = conf.sections().filter((section) => !SECTIONS.includes(section));
  return [...keys, ...sections.map((name) => ({ option: `[${name}]`, ...UNKNOWN }))];
}
