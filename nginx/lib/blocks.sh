# shellcheck shell=sh
# The server blocks: one file for each certificate, one for all other names.

HTTPS_IS_GIVEN_UP=no

# Writes the blocks until they agree with what they were made from. Two steps at once are safe so: the one that writes
# last compares again after it has written. It takes no lock that a killed step could leave behind.
run_certificate_step() {
    prepare_folders
    for round in 1 2 3 4 5; do
        wanted=$(wanted_certificates) || die "cannot read the list of certificates."
        write_server_blocks
        if [ "$(wanted_certificates 2>/dev/null)" = "$wanted" ]; then break; fi
        if [ "$round" = 5 ]; then warn "the certificates kept changing; run this step again."; fi
    done
    note https "$(whether_https_is_on)"
    note problems "$PROBLEMS"
    restore_user_files
}

# note NAME TEXT: writes down what was decided, for the sidecar to read (by exec).
note() {
    publish "$NGINX_FOLDER/sidecar/$1" "$2" || true
}

whether_https_is_on() {
    if [ "$HTTPS_IS_GIVEN_UP" = yes ]; then
        printf off-by-rescue
    elif [ "$NGINX_HTTPS_ENABLED" = false ]; then
        printf off-by-setting
    else
        printf on
    fi
}

prepare_folders() {
    mkdir -p "$NGINX_FOLDER/certificates.d" "$NGINX_FOLDER/placeholder" "$NGINX_FOLDER/sidecar" ||
        die "cannot make folders in $NGINX_FOLDER; leave it inside the container and writable, by read_only: true as a tmpfs."
    chmod 700 "$NGINX_FOLDER/placeholder"
}

# Writes what $wanted asks for.
write_server_blocks() {
    HTTP_SERVER_TEMPLATE=$(read_template http-server.conf) && HTTPS_SERVER_TEMPLATE=$(read_template https-server.conf) ||
        exit 1
    WRITTEN=" "
    PROBLEMS=""
    # On a descriptor of its own: a command in the loop must not read the list away.
    while IFS='|' read -r lineage default_option names made_from <&3; do
        if [ "$lineage" = @others ]; then
            write_block_for_other_names "$default_option" "$names"
        elif [ "$NGINX_HTTPS_ENABLED" != false ]; then
            write_certificate_block "$lineage" "$default_option" "$names" "$made_from"
        fi
    done 3<<END
$wanted
END
    remove_other_blocks
}

# Prints `lineage|option|names|made from` for each certificate and `@others|option|names|` for the other names; see
# names.awk. What a block is made from is one word that changes with the names, the pair's files or the settings.
wanted_certificates() {
    certificates=$(listed_certificates) || return 1
    live="$LETSENCRYPT_FOLDER/live"
    everywhere=$(settings_in_blocks | cksum) || everywhere=""
    {
        # Not every stat has these options; without them no block counts as settled, which only costs time.
        stat -L -c '%n %i %s %z' "$live"/*/fullchain.pem "$live"/*/privkey.pem 2>/dev/null
        printf '=\n%s\n' "$certificates"
    } | awk -v live="$live/" -v everywhere="$everywhere" "$(tr -d '\r' <"$folder/lib/made-from.awk")"
}

# What all blocks depend on.
settings_in_blocks() {
    env | grep -E '^(EXPOSE_)?NGINX_' | sort
    cat "$folder"/templates/*-server.conf.template "$folder"/lib/*
    stat -L -c '%i %s %z' "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME" 2>/dev/null
    printf '%s\n' "$NGINX_VERSION $HAS_IPV6 $HAS_OPENSSL"
}

# The sidecar's list wins: only the sidecar can read every form of CERTBOT_DOMAIN.
listed_certificates() {
    list="$LETSENCRYPT_FOLDER/sidecar/certificates"
    program=$(tr -d '\r' <"$folder/lib/names.awk") || return 1
    if [ -f "$list" ]; then
        awk -v source=list -v other_names="$NGINX_SERVER_NAME" "$program" <"$list"
    else
        printf '%s\n' "${CERTBOT_DOMAIN-}" | tr ';,' '\n ' |
            awk -v source=CERTBOT_DOMAIN -v other_names="$NGINX_SERVER_NAME" "$program"
    fi
}

write_certificate_block() {
    if is_settled "$1" "$4"; then
        WRITTEN="$WRITTEN$1.conf "
        keep_problem "$1"
        return
    fi
    choose_pair "$1"
    http_answer=app
    if [ "$IS_REAL" = yes ] && [ "$NGINX_HTTP_REDIRECT" != false ]; then http_answer=redirect; fi
    set_http_server "" "$3" "$http_answer"
    set_https_server "$2"
    publish_block "$1" "${4:-a pair that is not there}" && say "certificate $1: $PAIR_WORDS"
    return 0
}

keep_problem() {
    problem=$(awk -v lineage="$1" '$1 == lineage' "$NGINX_FOLDER/sidecar/problems" 2>/dev/null) || return 0
    if [ -n "$problem" ]; then PROBLEMS="$PROBLEMS$problem$NEWLINE"; fi
}

# Whether the block of $1 was made from exactly what there is now, which its first line tells. That spares openssl's
# work for hundreds of certificates when one of them has changed.
is_settled() {
    if [ "$ASK_NGINX" = yes ] || [ -z "$2" ]; then return 1; fi
    block_file="$NGINX_FOLDER/certificates.d/$1.conf"
    [ -f "$block_file" ] && IFS= read -r first_line <"$block_file" && [ "$first_line" = "# for $2" ]
}

# The names without a certificate: port 80's default server, and HTTPS with the hand-made pair where there is one.
write_block_for_other_names() {
    use_pair "" ""
    IS_REAL=no
    PAIR_WORDS=""
    if is_https_for_other_names "$1" "$2"; then
        choose_legacy_pair
        if [ -z "$CERTIFICATE_FILE" ]; then choose_placeholder @others "$PAIR_PROBLEM"; fi
    fi
    # A hand-made pair never redirected; that needs a word of the operator's.
    http_answer=app
    if [ "$IS_REAL" = yes ] && [ "$NGINX_HTTP_REDIRECT" = true ]; then http_answer=redirect; fi
    set_http_server " default_server" "${2:-_}" "$http_answer"
    set_https_server "$1"
    if publish_block @others "all names without a certificate" && [ -n "$PAIR_WORDS" ]; then say "other names: $PAIR_WORDS"; fi
}

# is_https_for_other_names OPTION NAMES: OPTION is default_server when no certificate is wanted.
is_https_for_other_names() {
    case $NGINX_HTTPS_ENABLED in
    false) return 1 ;;
    true) [ -n "$1" ] || { [ -n "$2" ] && [ "$2" != _ ] && has_legacy_pair; } ;;
    *) has_legacy_pair && { [ -n "$1" ] || { [ -n "$2" ] && [ "$2" != _ ]; }; } ;;
    esac
}

# set_http_server OPTIONS NAMES app|redirect
set_http_server() {
    HTTP_LISTEN_OPTIONS=$1
    SERVER_NAMES=$2
    HTTP_ANSWER=$3
    HTTP_LISTEN_IPV6=${HAS_IPV6:+"listen [::]:$NGINX_PORT$1;"}
    export HTTP_LISTEN_OPTIONS SERVER_NAMES HTTP_ANSWER HTTP_LISTEN_IPV6
}

# set_https_server [default_server]: for the pair that has been chosen.
set_https_server() {
    HTTPS_LISTEN_OPTIONS=$HTTP2_LISTEN_OPTION${1:+ $1}
    HTTPS_LISTEN_IPV6=${HAS_IPV6:+"listen [::]:$NGINX_SSL_PORT ssl$HTTPS_LISTEN_OPTIONS;"}
    HSTS_DIRECTIVE=""
    if [ "$IS_REAL" = yes ] && [ "$NGINX_HSTS_MAX_AGE" -gt 0 ] && ! is_all_addresses "$SERVER_NAMES"; then
        HSTS_DIRECTIVE="add_header Strict-Transport-Security \"max-age=$NGINX_HSTS_MAX_AGE\" always;"
    fi
    # shellcheck disable=SC2090 # the quotes are for nginx
    export HTTPS_LISTEN_OPTIONS HTTPS_LISTEN_IPV6 HSTS_DIRECTIVE
}

# Whether all the names are IP addresses: no browser takes HSTS from one (RFC 6797 §8.1.1).
is_all_addresses() {
    [ -z "$(printf %s "$1" | sed 's/\[[^]]*\]//g; s/[0-9. ]//g')" ]
}

# publish_block NAME MADE_FROM: writes the two servers that have been set; true when nginx would see a difference.
publish_block() {
    WRITTEN="$WRITTEN$1.conf "
    block_template=$HTTP_SERVER_TEMPLATE
    if [ -n "$CERTIFICATE_FILE" ]; then block_template="$block_template$NEWLINE$HTTPS_SERVER_TEMPLATE"; fi
    servers=$(fill_in "$block_template") || die "cannot render the block of $1."
    block_file="$NGINX_FOLDER/certificates.d/$1.conf"
    servers_before=$(sed 1d "$block_file" 2>/dev/null) || servers_before=""
    publish "$block_file" "# for $2$NEWLINE$servers" && [ "$servers" != "$servers_before" ]
}

remove_other_blocks() {
    for block_file in "$NGINX_FOLDER"/certificates.d/*.conf; do
        case $WRITTEN in *" ${block_file##*/} "*) continue ;; esac
        if ! [ -e "$block_file" ]; then continue; fi
        rm -f "$block_file" || die "cannot remove $block_file."
        gone=${block_file##*/}
        say "certificate ${gone%.conf}: no longer wanted, its server block is removed"
    done
}
