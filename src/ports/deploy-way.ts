/**
 * How servers come to serve what is on disk; `word` is the setting's. `service`: a compose service, of another project where one is
 * named, is told through the Docker API. In the other ways no engine is asked.
 */
export type DeployWay =
  | { readonly kind: "service"; readonly word: string; readonly service: string; readonly project?: string | undefined }
  | WayWithoutEngine;

/**
 * `watch`: our nginx takes over by itself; `nginx`: settings of its own, where they were told to the sidecar too, since nobody else
 * can be asked. `verify`: whatever answers at a host's port, which others make take over.
 */
export type WayWithoutEngine =
  | { readonly kind: "watch"; readonly word: string; readonly nginx: Readonly<Record<string, string>> }
  | { readonly kind: "verify"; readonly word: string; readonly host: string; readonly port: number };
