# shellcheck shell=sh
# From the container's start to nginx as process 1.

start_nginx() {
    # Process 1 ignores signals it has no handler for: without one `docker stop` in these moments takes ten seconds.
    trap 'exit 143' TERM INT QUIT
    command -v envsubst >/dev/null || die "this image has no envsubst; use nginx's official image, or add gettext's."
    prepare_folders
    # A tmpfs is everybody's to write, and nginx's workers are somebody else.
    chmod go-w "$NGINX_FOLDER" 2>/dev/null
    rm -f "$NGINX_FOLDER"/certificates.d/*.new.* "$NGINX_FOLDER"/sidecar/*.new.* "$NGINX_FOLDER"/trial.*
    # What was decided before a restart says nothing of this start.
    rm -f "$NGINX_FOLDER/sidecar/https" "$NGINX_FOLDER/sidecar/refused" "$NGINX_FOLDER/sidecar/settled"
    IS_START=yes
    read_settings
    tell_of_redirects
    derive_upstream
    derive_user
    set_aside_welcome_page
    write_main_files
    if is_watching; then look; fi
    # In a subshell: what ends the step must not end nginx's start.
    (run_certificate_step) || warn "the certificates could not be prepared; nginx starts with what is there."
    keep_port_80_open
    # A child of nginx then, that ends with it: as process 1 nginx waits for every child.
    if is_watching; then
        say "nginx takes over by itself what is new in $LETSENCRYPT_FOLDER"
        watch_certificates &
    elif [ -n "$(left_out_files)" ]; then
        watch_files &
    fi
    exec nginx -g 'daemon off;'
}

# As nginx's refusals have it.
apply_settings() {
    settings_now=$(printf '%s\n' "$REFUSED" | grep '^setting|')
    if [ "$settings_now" = "${settings_applied-none}" ]; then return; fi
    settings_applied=$settings_now
    read_settings quietly
    derive_upstream
    write_main_files
    read_wanted 2>/dev/null || true
}

# Without port 80 no CA can issue a certificate.
keep_port_80_open() {
    if ask_nginx; then return; fi
    warn "only the challenges are answered until this is repaired: $NGINX_SAID"
    note https off-by-rescue
    REFUSED=$(noted refused)
    read_settings quietly
    publish_rendered nginx.conf rescue.conf
}

write_main_files() {
    if ! [ -f "$NGINX_FOLDER/mime.types" ]; then publish_rendered mime.types mime.types; fi
    for main_file in challenge variables; do publish_rendered "sidecar/$main_file.conf" "$main_file.conf"; done
    REDIRECT_DIRECTIVE=""
    export REDIRECT_DIRECTIVE
    publish_rendered sidecar/app.conf "$APP_TEMPLATE"
    # shellcheck disable=SC2016 # nginx's variables
    REDIRECT_DIRECTIVE='if ($https_host) { return 301 https://$https_host$request_uri; }'
    publish_rendered sidecar/redirect.conf "$APP_TEMPLATE"
    if is_mounted "$NGINX_FOLDER/nginx.conf"; then
        say "$NGINX_FOLDER/nginx.conf is your own and used as it is; HTTPS needs 'include $NGINX_FOLDER/certificates.d/*.conf;' in it"
    else
        publish_rendered nginx.conf nginx.conf
    fi
}

tell_of_redirects() {
    if [ -n "$NGINX_PUBLIC_HTTPS_PORT" ] || [ "${EXPOSE_NGINX_SSL_PORT##*:}" = 443 ] || [ "$NGINX_HTTP_REDIRECT" = false ]; then return; fi
    # Browsers leave port 80 out, so nobody is known to have come by it.
    sent="only who has come by port ${EXPOSE_NGINX_PORT##*:} is sent there from http;"
    if [ "${EXPOSE_NGINX_PORT##*:}" = 80 ]; then sent="nobody is sent there from http;"; fi
    say "EXPOSE_NGINX_SSL_PORT is $EXPOSE_NGINX_SSL_PORT: $sent" \
        "set NGINX_PUBLIC_HTTPS_PORT to the port at which visitors find HTTPS, 443 where a router maps it."
}

# The image's welcome page takes the name localhost from the app. It is moved only where it is the image's own: what is
# mounted there is the operator's.
set_aside_welcome_page() {
    page="$NGINX_FOLDER/conf.d/default.conf"
    if ! [ -f "$page" ] || is_mounted "$page" || is_mounted "$NGINX_FOLDER/conf.d"; then return; fi
    if grep -q '/usr/share/nginx/html' "$page" && grep -q 'server_name  *localhost;' "$page"; then
        mv -f "$page" "$page.image" || warn "cannot move $page away; it answers for the name localhost."
    fi
}

derive_user() {
    USER_DIRECTIVE=""
    for account in nginx www-data; do
        if grep -q "^$account:" /etc/passwd; then
            USER_DIRECTIVE="user $account;"
            break
        fi
    done
    export USER_DIRECTIVE
}

# The app's address goes through a variable, so that nginx starts before the app and follows it to a new address.
derive_upstream() {
    APP_TEMPLATE=app-unset.conf
    if [ -z "$NGINX_UPSTREAM" ]; then return; fi
    APP_TEMPLATE=app-proxy.conf
    UPSTREAM_URL=${NGINX_UPSTREAM%/}
    case $UPSTREAM_URL in *://*) ;; *) UPSTREAM_URL="http://$UPSTREAM_URL" ;; esac
    authority=${UPSTREAM_URL#*://}
    UPSTREAM_HOST=${authority%:*}
    case $authority in \[*\]) UPSTREAM_HOST=$authority ;; esac
    # nginx's resolver asks DNS alone: a name of extra_hosts, like host.docker.internal, is only in /etc/hosts.
    host_address=$(address_in_hosts_file "$UPSTREAM_HOST")
    if [ -n "$host_address" ]; then UPSTREAM_URL="${UPSTREAM_URL%%://*}://$host_address${authority#"$UPSTREAM_HOST"}"; fi
    RESOLVER=$(resolvers)
    export UPSTREAM_URL UPSTREAM_HOST RESOLVER
}

address_in_hosts_file() {
    awk -v name="$1" '{ sub(/#.*/, "") } { for (i = 2; i <= NF; i++) if (tolower($i) == tolower(name)) {
        print index($1, ":") ? "[" $1 "]" : $1
        exit
    } }' /etc/hosts
}

# The container's name servers as nginx writes them; one with a zone (fe80::1%eth0) can't be written. 127.0.0.11 is
# Docker's own.
resolvers() {
    found=$(awk '$1 == "nameserver" && $2 ~ /^[0-9a-fA-F.:]+$/ { printf " %s", index($2, ":") ? "[" $2 "]" : $2 }' /etc/resolv.conf)
    found=${found:-" 127.0.0.11"}
    if [ -z "$HAS_IPV6" ]; then found="$found ipv6=off"; fi
    printf '%s' "${found# }"
}
