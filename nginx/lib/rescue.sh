# shellcheck shell=sh
# nginx must come up and answer on port 80 whatever state the certificates are in: without port 80 no CA can issue one.

USER_FILES_INCLUDE="include $NGINX_FOLDER/conf.d/*.conf;"

nginx_accepts() {
    NGINX_SAID=$(nginx -t -q 2>&1)
}

# Gives up as little as possible of a configuration that nginx refuses: one pair, one file of the operator's, HTTPS.
rescue_configuration() {
    if nginx_accepts; then return; fi
    warn "nginx refuses this configuration: $NGINX_SAID"
    wanted=$(wanted_certificates 2>/dev/null) || wanted=""
    ASK_NGINX=yes
    write_server_blocks
    ASK_NGINX=no
    if nginx_accepts; then return; fi
    include_user_files ""
    if ! nginx_accepts; then
        warn "HTTPS is off until nginx is restarted with this repaired: $NGINX_SAID"
        HTTPS_IS_GIVEN_UP=yes
        NGINX_HTTPS_ENABLED=false
        write_server_blocks
    fi
    note https "$(whether_https_is_on)"
    note problems "$PROBLEMS"
    if nginx_accepts; then
        try_user_files_one_by_one
        return
    fi
    warn "only the challenges are answered until this is repaired: $NGINX_SAID"
    note https off-by-rescue
    RESCUE_LISTEN_IPV6=${HAS_IPV6:+"listen [::]:$NGINX_PORT default_server;"}
    export RESCUE_LISTEN_IPV6
    publish_rendered nginx.conf rescue.conf
}

include_user_files() {
    publish "$NGINX_FOLDER/sidecar/user-files.conf" "$1"
}

try_user_files_one_by_one() {
    good_files=""
    for user_file in "$NGINX_FOLDER"/conf.d/*.conf; do
        if ! [ -f "$user_file" ]; then continue; fi
        include_user_files "${good_files}include $user_file;" || true
        if nginx_accepts; then
            good_files="${good_files}include $user_file;$NEWLINE"
        else
            warn "$user_file is left out until nginx accepts it: $NGINX_SAID"
        fi
    done
    include_user_files "$good_files" || true
}

# A file of the operator's that was left out, because its certificate was not there yet, comes back as soon as it can.
restore_user_files() {
    user_files_now=$(cat "$NGINX_FOLDER/sidecar/user-files.conf" 2>/dev/null) || return 0
    if [ "$user_files_now" = "$USER_FILES_INCLUDE" ]; then return 0; fi
    include_user_files "$USER_FILES_INCLUDE" || true
    if nginx_accepts; then
        say "all files of $NGINX_FOLDER/conf.d are included again"
    else
        include_user_files "$user_files_now" || true
    fi
}
