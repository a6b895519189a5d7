import type { Container } from "./docker/container.ts";
import { parsePort } from "./labels.ts";

/**
 * The ports on which nginx answers inside its container: NGINX_PORT, else 80, and NGINX_SSL_PORT, else 443. As nginx's own step
 * reads them, to whom one port for both is a slip, too.
 */
export function nginxPorts({ env }: Pick<Container, "env">): { readonly http: number; readonly tls: number } {
  const [http, tls] = [parsePort(env["NGINX_PORT"]) ?? 80, parsePort(env["NGINX_SSL_PORT"]) ?? 443];
  return http === tls ? { http: http === 443 ? 80 : http, tls: 443 } : { http, tls };
}
