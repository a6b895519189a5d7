# shellcheck shell=bash
# Images made from Debian packages, for machines that reach no image registry. The tag says which version the tests
# were written for; what sid has today is printed after the build. Never under an official name.

NPM_VERSION=11

own_name() {
  case $1 in
    NODE_IMAGE) echo "$OWN_PREFIX/node:24" ;;
    NGINX_IMAGE) echo "$OWN_PREFIX/nginx:1.30" ;;
    PEBBLE_IMAGE) echo "$OWN_PREFIX/pebble:2.10" ;;
    CHALLTESTSRV_IMAGE) echo "$OWN_PREFIX/pebble-challtestsrv:2.10" ;;
    CERTBOT_IMAGE) echo "$OWN_PREFIX/certbot:5" ;;
    CADDY_IMAGE) echo "$OWN_PREFIX/caddy:2.11" ;;
    HAPROXY_IMAGE) echo "$OWN_PREFIX/haproxy:2.6" ;;
    HAPROXY3_IMAGE) echo "$OWN_PREFIX/haproxy:3" ;;
  esac
}

# The Dockerfile's stage.
stage_name() {
  local image
  image=$(own_name "$1")
  image=${image#*/}
  echo "${image%:*}"
}

suite_of() {
  case $1 in
    NODE_IMAGE) echo trixie ;;
    HAPROXY_IMAGE) echo bookworm ;;
    *) echo sid ;;
  esac
}

dockerfile_of() {
  case $1 in HAPROXY*) echo "$PIECES/haproxy.Dockerfile" ;; *) echo "$PIECES/Dockerfile" ;; esac
}

# Everything an image is made of, but for the packages' versions; a change of it means a new build.
recipe_of() {
  {
    base_recipe
    cat "$(dockerfile_of "$1")"
    case $1 in
      NGINX_IMAGE) cat "$PIECES"/nginx*.conf ;;
      NODE_IMAGE)
        echo "npm $NPM_VERSION"
        cat "$ROOT/node_modules/node/package.json" 2>/dev/null || true
        extra_authorities | while read -r file; do cat "$file"; done
        ;;
    esac
  } | checksum
}

is_own_image_current() {
  [ "$(recipe_label "$(own_name "$1")")" = "$(recipe_of "$1")" ]
}

# build_own_images NAME...: the suites side by side, a suite's images one after the other.
build_own_images() {
  local name suite
  local -A of=()
  is_installable ||
    fail "these images are not here and can't be pulled: $(for name in "$@"; do official_name "$name"; done | xargs)" "Check the network or log in to the registry; or name an image you have: ${*/%/=...}"
  need_commands mmdebstrap
  need_debian_keyring
  for name in "$@"; do
    suite=$(suite_of "$name")
    of[$suite]="${of[$suite]:-} $name"
  done
  local jobs=() failed=no job
  for suite in "${!of[@]}"; do
    # shellcheck disable=SC2086 # a list of plain words
    build_suite "$suite" ${of[$suite]} &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || failed=yes
  done
  [ "$failed" = no ] || exit 1
}

build_suite() {
  local suite=$1 name
  shift
  build_base "$suite"
  for name in "$@"; do
    build_own_image "$name" "$suite"
  done
}

build_own_image() {
  local name=$1 suite=$2 image stage log context=$PIECES
  image=$(own_name "$name")
  stage=$(stage_name "$name")
  log=$LOGS/build-$stage.log
  say "building $image (log: $log)"
  local arguments=(--build-arg "BASE=$OWN_PREFIX/debian:$suite")
  if [ "$name" = NODE_IMAGE ]; then
    context=$CACHE/context/node
    fill_node_context "$context" >"$log" 2>&1 ||
      fail "could not gather the files of $image" "Check the network and npm's registry, then run this again." "$log"
    [ -z "$(extra_authorities)" ] || arguments+=(--build-arg EXTRA_AUTHORITIES=/etc/ssl/certs/ca-certificates.crt)
  fi
  docker build --target "$stage" --tag "$image" --label "$RECIPE_LABEL=$(recipe_of "$name")" \
    "${arguments[@]}" --file "$(dockerfile_of "$name")" "$context" >>"$log" 2>&1 ||
    fail "could not build $image" "The log says which package or file is missing." "$log"
  [ "$context" = "$PIECES" ] || rm -rf "$context"
}

# The program of the npm package node, npm itself, and the authorities this machine trusts besides the usual ones (a
# company's proxy): without them npm inside a build fails on TLS.
fill_node_context() {
  local context=$1
  rm -rf "$context" && mkdir -p "$context/authorities" "$context/npm" &&
    cp "$ROOT/node_modules/node/bin/node" "$context/node" &&
    (cd "$context" && npm pack --loglevel=error "npm@$NPM_VERSION") &&
    tar -xzf "$context"/npm-*.tgz -C "$context/npm" --strip-components=1 &&
    rm "$context"/npm-*.tgz &&
    extra_authorities | while read -r file; do cp "$file" "$context/authorities/" || return; done
}

extra_authorities() {
  find /usr/local/share/ca-certificates -name '*.crt' 2>/dev/null | sort
}
