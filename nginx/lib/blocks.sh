# shellcheck shell=sh
# The server blocks: for each certificate, and for all other names. They are one file, so that they change in one moment.

BLOCKS_FILE="$NGINX_FOLDER/certificates.d/certificates.conf"
HTTPS_IS_GIVEN_UP=no
ON_TRIAL=" "
# `lineage stamp nginx's words` of each pair that nginx refuses, and its words of the hand-made one.
REFUSED=""
LEGACY_REFUSAL=""

# Writes the blocks until they agree with what they were made from. Two steps at once are safe so: the one that writes
# last compares again after it has written. It takes no lock that a killed step could leave behind. The arguments are
# lineages ON_TRIAL: who runs the step puts a version of theirs back when nginx refuses it, so nothing may stand in for it.
run_certificate_step() {
    ON_TRIAL="${*:+ $*} "
    prepare_folders
    # In the rescue configuration there is no block of ours.
    if [ "$(noted https)" = off-by-rescue ] && ! grep -q certificates.d "$NGINX_FOLDER/nginx.conf"; then return; fi
    # An older version may have started this nginx: it has written none.
    if ! [ -f "$NGINX_FOLDER/sidecar/variables.conf" ]; then publish_rendered sidecar/variables.conf variables.conf; fi
    for round in 1 2 3 4 5; do
        read_wanted || die "cannot read the list of certificates."
        made_from=$MADE_FROM
        if [ "$(head -n 1 "$BLOCKS_FILE" 2>/dev/null)" != "# made from $made_from" ]; then write_blocks; fi
        if read_wanted 2>/dev/null && [ "$MADE_FROM" = "$made_from" ]; then break; fi
        if [ "$round" = 5 ]; then warn "the certificates kept changing; run this step again."; fi
    done
    restore_user_files
    tell_own_servers
}

prepare_folders() {
    mkdir -p "$NGINX_FOLDER/certificates.d" "$NGINX_FOLDER/placeholder" "$NGINX_FOLDER/sidecar" ||
        die "cannot make folders in $NGINX_FOLDER; leave it inside the container and writable. With read_only: true mount a tmpfs there."
    chmod 700 "$NGINX_FOLDER/placeholder"
}

# Sets WANTED (see list.awk) and MADE_FROM: one word that changes with the names, the pairs, the settings and the operator's files.
read_wanted() {
    list="$LETSENCRYPT_FOLDER/sidecar/certificates"
    # The sidecar's list wins: only the sidecar can read every form of CERTBOT_DOMAIN. One that can't be read takes nothing away.
    if { [ -f "$list" ] && [ -r "$list" ]; } || { [ -f "$list" ] && [ -f "$BLOCKS_FILE" ]; }; then
        source=list
        certificates=$(cat "$list") || return 1
    else
        source=CERTBOT_DOMAIN
        certificates=$(printf '%s\n' "${CERTBOT_DOMAIN-}" | tr ';,' '\n ')
    fi
    program=$(read_program list) || return 1
    WANTED=$(printf '%s\n' "$certificates" | awk -v source="$source" -v other_names="$NGINX_SERVER_NAME" "$program") || return 1
    set -- "$LETSENCRYPT_FOLDER"/live/*/fullchain.pem "$LETSENCRYPT_FOLDER"/live/*/privkey.pem \
        "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME"
    # A pipe in a file's place would be waited for without end.
    for pair_file; do
        shift
        if [ -f "$pair_file" ]; then set -- "$@" "$pair_file"; fi
    done
    MADE_FROM=$({
        printf '%s\n' "$WANTED" "$NGINX_VERSION $IPV6 $HAS_OPENSSL" "$@"
        env | grep -E '^(EXPOSE_)?NGINX_' | sort
        cat "$folder"/templates/*-server.conf.template "$folder"/lib/* "$NGINX_FOLDER"/conf.d/*.conf "$@" 2>/dev/null
    } | cksum)
}

write_blocks() {
    settle_blocks
    blocks=$(render_blocks "$CHOSEN") || die "cannot render the server blocks."
    changes=$(tell_changes)
    # Where something is refused the next step looks again.
    not_all=""
    if [ -n "$REFUSED$LEGACY_REFUSAL" ] || [ "$IS_TAKEN" = no ]; then not_all=", and not all of it is taken"; fi
    publish "$BLOCKS_FILE" "# made from $MADE_FROM$not_all$NEWLINE$blocks" || true
    if [ -n "$changes" ]; then printf '%s\n' "$changes"; fi
    note problems "$PROBLEMS"
    is_on=on
    if [ "$NGINX_HTTPS_ENABLED" = false ]; then is_on=off-by-setting; fi
    if [ "$HTTPS_IS_GIVEN_UP" = yes ]; then is_on=off-by-rescue; fi
    note https "$is_on"
    # Of a step of another version.
    for other_file in "$NGINX_FOLDER"/certificates.d/*.conf; do
        if [ "$other_file" != "$BLOCKS_FILE" ]; then rm -f "$other_file"; fi
    done
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
    HTTP_SERVER=$(render http-server.conf) && HTTPS_SERVER=$(render https-server.conf) || exit 1
    export HTTP_SERVER HTTPS_SERVER
    # On a descriptor of its own: a command in the loop must not read the list away.
    while IFS='|' read -r lineage default_option kind names <&3; do
        use_pair "" ""
        IS_REAL=no
        PAIR_WORDS=""
        http_answer=app
        if [ "$lineage" != @others ]; then
            if [ "$NGINX_HTTPS_ENABLED" = false ]; then continue; fi
            choose_pair "$lineage" "$kind"
            if [ "$IS_REAL" = yes ] && [ "$NGINX_HTTP_REDIRECT" != false ]; then http_answer=redirect; fi
            add_block "$lineage" "" "$default_option" "$names"
        else
            if is_https_for_other_names; then choose_legacy_pair || choose_placeholder @others; fi
            # A hand-made pair never redirected; that needs a word of the operator's.
            if [ "$IS_REAL" = yes ] && [ "$NGINX_HTTP_REDIRECT" = true ]; then http_answer=redirect; fi
            add_block @others "$(default_server_on "$NGINX_PORT")" "$default_option" "${names:-_}"
        fi
    done 3<<END
$WANTED
END
}

# HTTPS for the names without a certificate; default_option is default_server when no certificate is wanted.
is_https_for_other_names() {
    case $NGINX_HTTPS_ENABLED$default_option in false*) return 1 ;; truedefault_server) return 0 ;; esac
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

# Prints the blocks of lines like those of CHOSEN.
render_blocks() {
    blocks_program=${blocks_program:-$(read_program blocks)} && printf 'include %s/sidecar/variables.conf;\n' "$NGINX_FOLDER" &&
        printf '%s' "$1" | awk "$blocks_program"
}
