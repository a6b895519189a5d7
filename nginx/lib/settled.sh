# shellcheck shell=sh
# Whether a step has anything to do: after a renewal most often nothing is new but what is in the pairs, which nginx's test reads.

# Whether all that the last step has read and written is as it left it, and nginx takes it without a word. Forks little: a whole step
# takes several times as long as nginx's test.
is_settled() {
    settled=$(noted settled) && [ -n "$settled" ] && [ "$settled" = "$(what_is_read)|$(what_is_written)" ] &&
        said=$(nginx -t -q 2>&1) && [ -z "$said" ]
}

# What the blocks are made of beside the pairs, and beside what stays while nginx's container runs, as one word. False, and nothing,
# where it can't be told.
what_is_read() {
    set --
    for hand_made in "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME"; do
        if [ -e "$hand_made" ]; then set -- "$@" "$hand_made"; fi
    done
    read_now=$({
        cat "$LETSENCRYPT_FOLDER/sidecar/certificates" &&
            ls -inL --full-time "$folder/lib" "$folder/templates" "$NGINX_FOLDER/conf.d" "$@"
    } 2>/dev/null) && printf %s "$read_now" | cksum
}

what_is_written() {
    ls -in --full-time "$NGINX_FOLDER/nginx.conf" "$NGINX_FOLDER/certificates.d" "$NGINX_FOLDER"/sidecar/*.conf 2>/dev/null | cksum
}

# note_settled READ: at the end of a step before which this was read. Not where something stands in for a pair, where the pair itself
# is asked who has issued it, or where nginx has told of servers of the operator's: it does that in a whole step alone.
note_settled() {
    settled=$1
    case $PROBLEMS$REFUSED$own_servers in *[!"$NEWLINE"]*) settled="" ;; esac
    case $WANTED in *"|unknown|"*) settled="" ;; esac
    note settled "${settled:+$settled|$(what_is_written)}"
}
