# shellcheck shell=sh
# nginx must come up and answer on port 80 whatever state the certificates are in: without port 80 no CA can issue one.

USER_FILES_INCLUDE="include $NGINX_FOLDER/conf.d/*.conf;"

# Gives up as little as possible of a configuration that nginx refuses: a file of the operator's, a setting, HTTPS.
rescue_configuration() {
    if ask_nginx; then return; fi
    warn "nginx refuses this configuration: $NGINX_SAID"
    include_user_files ""
    if ! ask_nginx; then find_refused_settings; fi
    if ! ask_nginx; then
        warn "HTTPS is off until nginx is restarted with this repaired: $NGINX_SAID"
        read_wanted 2>/dev/null
        give_up_https
        write_blocks
    fi
    if ask_nginx; then
        if [ -z "$(noted user-files.conf)" ]; then try_user_files_one_by_one; fi
        return
    fi
    warn "only the challenges are answered until this is repaired: $NGINX_SAID"
    note https off-by-rescue
    publish_rendered nginx.conf rescue.conf
}

# A setting that nginx refuses is named, and its default used.
find_refused_settings() {
    candidates=$CHANGED_SETTINGS
    FOUND=""
    WITH_USER_FILES=no
    if takes_settings none; then find_refused takes_settings "$(printf %s "$candidates" | grep -c .)"; fi
    REFUSED_SETTINGS=$(printf %s "$FOUND" | while read -r number said; do
        name=$(printf %s "$candidates" | sed -n "${number}p")
        warn "$name=\"$(eval "printf %s \"\$GIVEN_$name\"")\" is not usable: $said. Using the default instead."
        echo "$name"
    done)
    note refused-settings "$REFUSED_SETTINGS"
    apply_settings
    (run_certificate_step)
}

# takes_settings FIRST LAST: these with their values, the others with their defaults.
takes_settings() {
    REFUSED_SETTINGS=$candidates
    if [ "$1" != none ]; then REFUSED_SETTINGS=$(printf %s "$candidates" | sed "$1,$2d"); fi
    apply_settings
    read_wanted 2>/dev/null
    choose_blocks
    takes_foundation
}

include_user_files() {
    note user-files.conf "$1"
}

try_user_files_one_by_one() {
    good_files=""
    all_files=$USER_FILES_INCLUDE
    for user_file in "$NGINX_FOLDER"/conf.d/*.conf; do
        if ! [ -f "$user_file" ]; then continue; fi
        include_user_files "${good_files}include $user_file;"
        if ask_nginx; then
            good_files="${good_files}include $user_file;$NEWLINE"
        else
            all_files=""
            warn "$user_file is left out until nginx accepts it: $NGINX_SAID"
        fi
    done
    include_user_files "${all_files:-$good_files}"
}

# A file of the operator's that was left out, because its certificate was not there yet, comes back as soon as it can.
restore_user_files() {
    user_files_now=$(noted user-files.conf) || return 0
    if [ "$user_files_now" = "$USER_FILES_INCLUDE" ]; then return; fi
    include_user_files "$USER_FILES_INCLUDE"
    if ! ask_nginx; then
        include_user_files "$user_files_now"
    elif [ -n "$(ls "$NGINX_FOLDER"/conf.d/*.conf 2>/dev/null)" ]; then
        say "all files of $NGINX_FOLDER/conf.d are included again"
    fi
}
