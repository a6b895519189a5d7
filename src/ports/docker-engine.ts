/** Where the Docker engine listens. */
export type DockerEngine =
  | { readonly kind: "socket"; readonly socketPath: string }
  /** `certPath`: the folder with ca.pem, cert.pem and key.pem; TLS is spoken exactly where it is there. IPv6 without brackets. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly certPath?: string | undefined };
