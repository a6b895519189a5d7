# shellcheck shell=bash
# The Docker CLI's plugins: Compose (>= 2.24, for env_file with required: false) and buildx (docker build). Debian 12
# packages neither, so they are taken from a newer Debian; they need nothing but libc.

CLI_PLUGINS=/usr/local/lib/docker/cli-plugins

provide_cli_plugins() {
  has_compose || install_plugin compose
  has_buildx || install_plugin buildx
  # The package lists are as large as the plugins and of no use tomorrow.
  rm -rf "$CACHE/apt"
}

has_compose() {
  local version
  version=$(docker compose version --short 2>/dev/null) && at_least 2.24 "${version#v}"
}

has_buildx() {
  docker buildx version >/dev/null 2>&1
}

# install_plugin compose|buildx: sid's is newest; if its libc has moved on, trixie's.
install_plugin() {
  local plugin=$1 suite log=$LOGS/plugins.log
  is_installable ||
    fail "docker $plugin is missing or too old" "Install Docker with Compose >= 2.24 and buildx: https://docs.docker.com/engine/install/"
  need_debian_keyring
  say "installing docker $plugin from Debian (log: $log)"
  for suite in sid trixie; do
    unpack_package "$suite" "docker-$plugin" "$CACHE/unpacked/docker-$plugin" >>"$log" 2>&1 || continue
    install -D -m 0755 -t "$CLI_PLUGINS" "$CACHE/unpacked/docker-$plugin/usr/libexec/docker/cli-plugins/docker-$plugin"
    rm -r "$CACHE/unpacked"
    "has_$plugin" && return
  done
  fail "docker $plugin could not be installed" "Install Docker with Compose >= 2.24 and buildx: https://docs.docker.com/engine/install/" "$log"
}
