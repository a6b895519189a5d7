/**
 * How servers come to serve what is on disk where no engine is asked; `word` is the setting's. `watch`: our nginx takes over by
 * itself; `nginx`: settings of its own, where they were told to the sidecar too, since nobody else can be asked. `verify`: whatever
 * answers at a host's port, which others make take over.
 */
export type DeployWay =
  | { readonly kind: "watch"; readonly word: string; readonly nginx: Readonly<Record<string, string>> }
  | { readonly kind: "verify"; readonly word: string; readonly host: string; readonly port: number };
