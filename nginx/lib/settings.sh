# shellcheck shell=sh
# The settings of nginx's side: read from the container's environment, checked, exported for the templates.
# A wrong value is named and its default used, so that a slip in .env never takes the sites down.

PORT='([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
DURATION='[0-9]{1,6}(ms|s|m|h|d)?'
LABELS='[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?'
SERVER_NAME="((\*\.|\.)?$LABELS|$LABELS\.\*)"
ADDRESSES='[0-9A-Fa-f.:]+(/[0-9]{1,3})?'
PROTOCOL='TLSv1(\.[1-3])?'
FILE_NAME='[A-Za-z0-9_-][A-Za-z0-9._-]*'
DURATION_WORDS="a time, like 65 or 3600s"
PORT_WORDS="a port, 1 to 65535"

# read_settings [quietly]: as check_settings, and what follows from them.
read_settings() {
    check_settings "$@"
    derive_settings
}

# check_settings [quietly]: with an argument wrong values are not mentioned again. Sets CHANGED_SETTINGS to the names of those that
# have not their default.
check_settings() {
    mistakes_are=${1:-named}
    CHANGED_SETTINGS=""
    setting NGINX_PORT 80 "$PORT" "$PORT_WORDS"
    setting NGINX_SSL_PORT 443 "$PORT" "$PORT_WORDS"
    setting EXPOSE_NGINX_PORT 80 "([][0-9A-Fa-f.:]+:)?$PORT" "$PORT_WORDS, or address:port"
    setting EXPOSE_NGINX_SSL_PORT 443 "([][0-9A-Fa-f.:]+:)?$PORT" "$PORT_WORDS, or address:port"
    setting NGINX_PUBLIC_HTTPS_PORT "" "$PORT" "$PORT_WORDS"
    setting NGINX_TRUSTED_PROXIES "" "$ADDRESSES( +$ADDRESSES)*" "addresses separated by blanks, like 10.0.0.0/8"
    setting NGINX_SERVER_NAME _ "$SERVER_NAME( +$SERVER_NAME)*" "names separated by blanks, or _"
    setting NGINX_WORKER_PROCESSES auto 'auto|[1-9][0-9]{0,2}' "auto or a number"
    setting NGINX_CLIENT_MAX_BODY_SIZE 100M '[0-9]{1,9}[kKmMgG]?' "a size without blanks, like 100M"
    setting NGINX_KEEPALIVE_TIMEOUT 65 "$DURATION( +$DURATION)?" "$DURATION_WORDS"
    setting NGINX_PROXY_READ_TIMEOUT 3600s "$DURATION" "$DURATION_WORDS"
    setting NGINX_PROXY_SEND_TIMEOUT 3600s "$DURATION" "$DURATION_WORDS"
    setting NGINX_SSL_PROTOCOLS "TLSv1.2 TLSv1.3" "$PROTOCOL( +$PROTOCOL)*" "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"
    setting NGINX_SSL_CERT_FILENAME dify.crt "$FILE_NAME(/$FILE_NAME)*" "a file name under $LEGACY_FOLDER"
    setting NGINX_SSL_CERT_KEY_FILENAME dify.key "$FILE_NAME(/$FILE_NAME)*" "a file name under $LEGACY_FOLDER"
    setting NGINX_HTTPS_ENABLED auto 'auto|true|false' "true, false or auto"
    setting NGINX_HTTP_REDIRECT auto 'auto|true|false' "true, false or auto"
    setting NGINX_HSTS_MAX_AGE 0 '[0-9]{1,10}' "a number of seconds"
    setting NGINX_UPSTREAM "" "(https?://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:$PORT)?/?" "like http://app:8080, without a path"
    if [ "$NGINX_PORT" = "$NGINX_SSL_PORT" ]; then
        refuse NGINX_SSL_PORT "$NGINX_SSL_PORT" "another port than NGINX_PORT"
        NGINX_SSL_PORT=443
        if [ "$NGINX_PORT" = 443 ]; then NGINX_PORT=80; fi
    fi
}

# setting NAME DEFAULT PATTERN ALLOWED: NAME keeps its value when that matches the whole PATTERN, else gets the default.
# An empty value is an unset one.
setting() {
    eval "GIVEN_$1=\${GIVEN_$1-\${$1-}}; setting_value=\$GIVEN_$1"
    setting_value=${setting_value%"$CR"}
    # Its characters are allowed, and nginx refuses it all the same.
    if is_refused setting "$1"; then setting_value=""; fi
    case $setting_value in
    "" | "$2") setting_value=$2 ;;
    *"$NEWLINE"*) setting_value=$(refuse "$1" "$setting_value" "$4" "$2") ;;
    *) printf '%s\n' "$setting_value" | grep -Eqx -e "$3" || setting_value=$(refuse "$1" "$setting_value" "$4" "$2") ;;
    esac
    if [ "$setting_value" != "$2" ]; then CHANGED_SETTINGS="$CHANGED_SETTINGS$1$NEWLINE"; fi
    export "$1=$setting_value"
}

# refuse NAME VALUE ALLOWED [DEFAULT]: names the mistake on stderr, prints the default.
refuse() {
    if [ "$mistakes_are" = named ]; then
        warn "$1=\"$(printf %s "$2" | tr -c ' -~' '?')\" is not usable: give $3. Using ${4:-the default} instead."
    fi
    printf %s "${4:-}"
}

# What follows from the settings and from the machine.
derive_settings() {
    derive_visitors
    # The file's size is 0 even when it has lines, so it has to be read. A [::] listener without IPv6 stops nginx.
    HAS_IPV6=""
    IPV6="# no IPv6 here: "
    if [ -n "$(cat /proc/net/if_inet6 2>/dev/null)" ]; then HAS_IPV6=yes IPV6=""; fi
    NGINX_VERSION=$(nginx_version)
    # "http2 on" came with 1.25.1, and "listen … http2" warns since then.
    HTTP2_LISTEN_OPTION=" http2"
    HTTP2_DIRECTIVE=""
    if [ "$NGINX_VERSION" -ge 1025001 ]; then
        HTTP2_LISTEN_OPTION=""
        HTTP2_DIRECTIVE="http2 on;"
    fi
    # Without it a reload closes a keep-alive connection just as its client sends the next request on it.
    KEEPALIVE_MIN_TIMEOUT_DIRECTIVE=""
    if [ "$NGINX_VERSION" -ge 1027004 ]; then KEEPALIVE_MIN_TIMEOUT_DIRECTIVE="keepalive_min_timeout 5s;"; fi
    export HTTP2_LISTEN_OPTION HTTP2_DIRECTIVE KEEPALIVE_MIN_TIMEOUT_DIRECTIVE IPV6
}

# How visitors come: the machine's ports need not be theirs, and a proxy may stand in front.
derive_visitors() {
    http_port=${EXPOSE_NGINX_PORT##*:}
    https_port=${EXPOSE_NGINX_SSL_PORT##*:}
    if [ -n "$NGINX_PUBLIC_HTTPS_PORT" ] || [ "$https_port" = 443 ]; then
        HTTPS_HOSTS="\"~^http:\" \"$(https_host "${NGINX_PUBLIC_HTTPS_PORT:-443}")\";"
    else
        # Who has come by the machine's own port finds the other one too; for all others a router may map them.
        HTTPS_HOSTS="\"~^http:.*:$http_port$\" \"$(https_host "$https_port")\";"
    fi
    REAL_IP_DIRECTIVES=""
    PROXY_ADDRESS=""
    TRUSTED_PROXIES=""
    for proxy in $NGINX_TRUSTED_PROXIES; do
        REAL_IP_DIRECTIVES="${REAL_IP_DIRECTIVES:-real_ip_header X-Forwarded-For; real_ip_recursive on;} set_real_ip_from $proxy;"
        # shellcheck disable=SC2016 # nginx's variable: who connects, before that is replaced
        PROXY_ADDRESS='$realip_remote_addr '
        TRUSTED_PROXIES="$TRUSTED_PROXIES$proxy 1; "
    done
    export HTTPS_HOSTS REAL_IP_DIRECTIVES PROXY_ADDRESS TRUSTED_PROXIES
}

# https_host PORT: where HTTPS is found there.
https_host() {
    if [ "$1" = 443 ]; then printf %s "\$host"; else printf %s "\$host:$1"; fi
}

# nginx's version as one number, 1.27.4 as 1027004; 0 when it is not told in the usual way.
nginx_version() {
    nginx -v 2>&1 | awk 'match($0, /(nginx|openresty)\/[0-9]+\.[0-9]+\.[0-9]+/) {
        split(substr($0, RSTART, RLENGTH), part, /[\/.]/)
        number = part[2] * 1000000 + part[3] * 1000 + part[4]
    } END { print number + 0 }'
}
