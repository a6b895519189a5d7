# shellcheck shell=sh
# The server blocks: for each certificate, and for all other names. They are one file, so that they change in one moment.

BLOCKS_FILE="$NGINX_FOLDER/certificates.d/certificates.conf"
ON_TRIAL=" "

# Brings the blocks in line with the list and the pairs. The arguments are lineages ON_TRIAL: who runs the step puts a version of
# theirs back when nginx refuses it, so nothing may stand in for it.
run_certificate_step() {
    ON_TRIAL="${*:+ $*} "
    prepare_folders
    wait_for_turn
    read_before=$(what_is_read)
    # In the rescue configuration there is no block of ours.
    if [ "$(noted https)" = off-by-rescue ] && ! grep -q certificates.d "$NGINX_FOLDER/nginx.conf"; then return; fi
    # An older version may have started this nginx: it has written none.
    if ! [ -f "$NGINX_FOLDER/sidecar/variables.conf" ]; then publish_rendered sidecar/variables.conf variables.conf; fi
    read_wanted || die "cannot read the list of certificates."
    write_blocks
    tell_own_servers
    note_settled "$read_before"
}

# One step after the other: the last one has seen everything. The lock ends with its process, however that ends; one that hangs is
# waited for for less time than the sidecar gives a step.
wait_for_turn() {
    lock="$NGINX_FOLDER/sidecar/lock"
    if ! command -v flock >/dev/null || ! (: >>"$lock") 2>/dev/null; then return; fi
    exec 9>>"$lock"
    flock -w 20 9 || warn "another step doesn't end; this one goes on beside it."
}

prepare_folders() {
    mkdir -p "$NGINX_FOLDER/certificates.d" "$NGINX_FOLDER/placeholder" "$NGINX_FOLDER/sidecar" ||
        die "cannot make folders in $NGINX_FOLDER; leave it inside the container and writable. With read_only: true mount a tmpfs there."
    chmod 700 "$NGINX_FOLDER/placeholder"
}

# Sets WANTED, see list.awk. The sidecar's list wins: only the sidecar can read every form of CERTBOT_DOMAIN. One that can't be
# read takes nothing away, nor does one that says nothing.
read_wanted() {
    list="$LETSENCRYPT_FOLDER/sidecar/certificates"
    WANTED=""
    if [ -f "$list" ] && { [ -r "$list" ] || [ -f "$BLOCKS_FILE" ]; }; then
        certificates=$(cat "$list") || return 1
        WANTED=$(read_list list) || return 1
    fi
    case $WANTED in
    "" | @others*)
        certificates=$(printf '%s\n' "${CERTBOT_DOMAIN-}" | tr ';,' '\n ')
        WANTED=$(read_list CERTBOT_DOMAIN)
        ;;
    esac
}

read_list() {
    list_program=$(read_program list) &&
        printf '%s\n' "$certificates" | awk -v source="$1" -v other_names="$NGINX_SERVER_NAME" "$list_program"
}

write_blocks() {
    settle_blocks
    blocks=$(render_blocks) || die "cannot render the server blocks."
    changes=$(tell_changes)
    publish "$BLOCKS_FILE" "$blocks" || true
    if [ -n "$changes" ]; then printf '%s\n' "$changes"; fi
    write_user_files
    note refused "$REFUSED"
    note problems "$PROBLEMS"
    note https "$HTTPS_IS"
    # Of a step of another version.
    for other_file in "$NGINX_FOLDER"/certificates.d/*.conf; do
        if [ "$other_file" != "$BLOCKS_FILE" ]; then rm -f "$other_file"; fi
    done
}

# A file of the operator's that waits for its certificate is left out; it comes back as soon as it can.
write_user_files() {
    files_now=$(user_files)
    if publish "$NGINX_FOLDER/sidecar/user-files.conf" "$files_now" && [ -n "$(refused_before file)" ] && ! has_refused file; then
        say "all files of $NGINX_FOLDER/conf.d are included again"
    fi
}

# Tells what will differ from the blocks before, in the words that stand before each.
tell_changes() {
    { cat "$BLOCKS_FILE" 2>/dev/null; printf '=\n%s\n' "$blocks"; } | awk '
        $0 == "=" { is_now = 1 }
        !/^# (certificate [^ ]+|other names): / { next }
        { title = substr($0, 3, index($0, ": ") - 3) }
        !is_now { before[$0]; was[title]; next }
        { is[title] }
        !($0 in before) { print "cert-sidecar: " substr($0, 3) }
        END { for (title in was) if (!(title in is) && title != "other names") {
            print "cert-sidecar: " title ": no longer wanted, its server block is removed"
        } }'
}

# Sets CHOSEN to what blocks.awk reads, in the order of $WANTED, and PROBLEMS to `lineage words` for each pair that isn't served.
choose_blocks() {
    CHOSEN=""
    PROBLEMS=""
    HTTPS_IS=on
    if [ "$NGINX_HTTPS_ENABLED" = false ]; then HTTPS_IS=off-by-setting; fi
    if is_refused https -; then HTTPS_IS=off-by-rescue; fi
    HTTP_SERVER=$(render http-server.conf) && HTTPS_SERVER=$(render https-server.conf) || exit 1
    export HTTP_SERVER HTTPS_SERVER
    # On a descriptor of its own: a command in the loop must not read the list away.
    while IFS='|' read -r lineage default_option kind names <&3; do
        use_pair "" ""
        IS_REAL=no
        PAIR_WORDS=""
        http_answer=app
        if [ "$lineage" != @others ]; then
            if [ "$HTTPS_IS" != on ] || { [ "$IS_TRIAL" = yes ] && is_refused certificate "$lineage"; }; then continue; fi
            choose_pair "$lineage" "$kind"
            if [ "$IS_REAL" = yes ] && [ "$NGINX_HTTP_REDIRECT" != false ]; then http_answer=redirect; fi
            add_block "$lineage" "" "$default_option" "$names"
        else
            if is_https_for_other_names; then choose_legacy_pair || choose_placeholder @others; fi
            # A hand-made pair never redirected; that needs a word of the operator's.
            if [ "$IS_REAL" = yes ] && [ "$NGINX_HTTP_REDIRECT" = true ]; then http_answer=redirect; fi
            add_block @others "$(default_server_on "$NGINX_PORT")" "$default_option" "${names:-_}"
            # Whether nginx takes HTTPS at all is seen with no certificate, too.
            if [ "$IS_TRIAL$HTTPS_IS" = yeson ]; then
                choose_legacy_pair || choose_placeholder @others
                http_answer=app
                add_block @others "" "" placeholder.invalid
            fi
        fi
    done 3<<END
$WANTED
END
}

# HTTPS for the names without a certificate; default_option is default_server when no certificate is wanted.
is_https_for_other_names() {
    case $HTTPS_IS$NGINX_HTTPS_ENABLED$default_option in off*) return 1 ;; ontruedefault_server) return 0 ;; esac
    has_legacy_pair && [ "$default_option$names" != "" ] && [ "$default_option$names" != _ ]
}

# add_block LINEAGE HTTP_OPTIONS [default_server] NAMES: with the pair that has been chosen.
add_block() {
    hsts=""
    if [ "$IS_REAL" = yes ] && [ "$NGINX_HSTS_MAX_AGE" -gt 0 ] && has_domain "$4"; then
        hsts="add_header Strict-Transport-Security \"max-age=$NGINX_HSTS_MAX_AGE\" always;"
    fi
    CHOSEN="$CHOSEN$1|$2|$HTTP2_LISTEN_OPTION${3:+$(default_server_on "$NGINX_SSL_PORT")}|$4|$http_answer|$CERTIFICATE_FILE|$KEY_FILE|$hsts|$PAIR_WORDS$NEWLINE"
}

# Whether not all the names are IP addresses: no browser takes HSTS from one (RFC 6797 §8.1.1).
has_domain() {
    for name in $1; do case $name in *:*) ;; *[!0-9.]*) return 0 ;; esac; done
    return 1
}

# Prints the blocks that are CHOSEN.
render_blocks() {
    blocks_program=${blocks_program:-$(read_program blocks)} && printf 'include %s/sidecar/variables.conf;\n' "$NGINX_FOLDER" &&
        printf '%s' "$CHOSEN" | awk "$blocks_program"
}
