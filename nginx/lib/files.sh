# shellcheck shell=sh
# Where things are, what is said, and how a file is written.
set -u
# Ranges like a-z mean these letters alone, in grep and awk alike.
LC_ALL=C
export LC_ALL

NGINX_FOLDER=/etc/nginx
LETSENCRYPT_FOLDER=/etc/letsencrypt
LEGACY_FOLDER=/etc/ssl

CR=$(printf '\r')
NEWLINE='
'

say() {
    printf 'cert-sidecar: %s\n' "$*"
}

warn() {
    printf 'cert-sidecar: %s\n' "$*" >&2
}

die() {
    warn "$*"
    exit 1
}

# What may be substituted in a template: these names alone, so nginx's own $variables and a user's environment stay out.
# shellcheck disable=SC2016 # the names themselves are meant
PLACES='$NGINX_PORT $NGINX_SSL_PORT $NGINX_SSL_PROTOCOLS $NGINX_WORKER_PROCESSES $NGINX_CLIENT_MAX_BODY_SIZE
$NGINX_KEEPALIVE_TIMEOUT $NGINX_PROXY_READ_TIMEOUT $NGINX_PROXY_SEND_TIMEOUT $NGINX_FOLDER $USER_DIRECTIVE
$KEEPALIVE_MIN_TIMEOUT_DIRECTIVE $REAL_IP_DIRECTIVES $PROXY_ADDRESS $TRUSTED_PROXIES
$HTTPS_HOSTS $REDIRECT_DIRECTIVE $RESOLVER $UPSTREAM_URL
$UPSTREAM_HOST $IPV6 $HTTP2_DIRECTIVE $SUBJECT'

# Prints a program of awk's.
read_program() {
    tr -d '\r' <"$folder/lib/$1.awk"
}

# Prints a template with its places filled in. Sets the exit status.
render() {
    template=$(read_template "$1") || return 1
    fill_in "$template"
}

# Prints a template as it is; a checkout with CRLF does not count.
read_template() {
    tr -d '\r' <"$folder/templates/$1.template" && return
    warn "cannot read $folder/templates/$1.template; mount the whole nginx folder."
    return 1
}

# Prints the text $1 with its places filled in.
fill_in() {
    NGINX_FOLDER=$NGINX_FOLDER envsubst "$PLACES" <<END
$1
END
}

# Makes the text $2 the content of the file $1; true when that changed something. nginx sees the old file or the new one,
# never half of one: the text is written beside it and renamed.
publish() {
    if [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; then return 1; fi
    if printf '%s\n' "$2" >"$1.new.$$" && mv -f "$1.new.$$" "$1"; then return 0; fi
    rm -f "$1.new.$$"
    die "cannot write $1. Leave $NGINX_FOLDER inside the container and writable: mount files there one by one, not the folder."
}

# publish_rendered FILE TEMPLATE
publish_rendered() {
    rendered=$(render "$2") || die "cannot render $2."
    publish "$NGINX_FOLDER/$1" "$rendered" || true
}

# note NAME TEXT: writes down what was decided, for later steps and for the sidecar to read (by exec).
note() {
    publish "$NGINX_FOLDER/sidecar/$1" "$2" || true
}

noted() {
    cat "$NGINX_FOLDER/sidecar/$1" 2>/dev/null
}

# Whether $1 is a mount of its own: then it belongs to the operator, and to the host.
is_mounted() {
    awk -v path="$1" '$5 == path { found = 1 } END { exit !found }' /proc/self/mountinfo
}
