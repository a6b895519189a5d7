/** Images that tests start. `scripts/provision --print-env` sets the names where the official ones can't be pulled. */
export const IMAGES = {
  node: process.env["NODE_IMAGE"] ?? "node:24-trixie-slim",
  nginx: process.env["NGINX_IMAGE"] ?? "nginx:stable",
  pebble: process.env["PEBBLE_IMAGE"] ?? "ghcr.io/letsencrypt/pebble:2.10",
  challtestsrv: process.env["CHALLTESTSRV_IMAGE"] ?? "ghcr.io/letsencrypt/pebble-challtestsrv:2.10",
  certbot: process.env["CERTBOT_IMAGE"] ?? "certbot/certbot:latest",
  caddy: process.env["CADDY_IMAGE"] ?? "caddy:2",
  haproxy: process.env["HAPROXY_IMAGE"] ?? "haproxy:2.6",
  haproxy3: process.env["HAPROXY3_IMAGE"] ?? "haproxy:3.2",
} as const;
