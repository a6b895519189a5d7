// What certbot has, besides, that isn't in this version, and what to do instead; as patterns of the whole spelling.
const ANSWERS: readonly (readonly [RegExp, string])[] = [
  [
    /^--(standalone|manual(-.*)?|http-01-.*)$/,
    "is not in this version: nginx answers challenges on port 80; take it out",
  ],
  [/^--dns-.*$/, "is not in this version: names are proven as CERTBOT_CHALLENGE says"],
  [
    /^--(pre|post|deploy|renew)-hook$/,
    "is not in this version, which runs no hooks: nginx is reloaded by itself, and `docker compose exec` does the rest",
  ],
  [
    /^--allow-subset-of-names$/,
    "is not in this version: a certificate has all its names or isn't ordered; begin a certificate of its own with ; for what may fail",
  ],
  [/^--must-staple$/, "is not in this version: CAs gave OCSP up, and Let's Encrypt refuses it; take it out"],
  [/^--(no-)?redirect$/, "is nginx's to do: set NGINX_HTTP_REDIRECT"],
  [/^--((no|auto)-)?hsts$/, "is nginx's to do: set NGINX_HSTS_MAX_AGE"],
  [/^--no-autorenew$/, "is not in this version: write autorenew = False into renewal/<name>.conf"],
  [
    /^(--(account|break-my-certs|cert-path|chain-path|config|configurator|csr|debug-challenges|duplicate|force-interactive|fullchain-path|https-port|installer|issuance-timeout|key-path|staple-ocsp|strict-permissions|uir|user-agent|user-agent-comment|(nginx|apache)-.*)|-[ci])$/,
    "is an option of certbot's that is not in this version; take it out",
  ],
];

/** What to say of an option that certbot has and this version hasn't, in words that follow its name; undefined for any other. */
export function answerForeign(spelling: string): string | undefined {
  return ANSWERS.find(([pattern]) => pattern.test(spelling))?.[1];
}
