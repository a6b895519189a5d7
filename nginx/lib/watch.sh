# shellcheck shell=sh
# With CERTBOT_DEPLOY=nginx:watch nginx takes over by itself what changes in /etc/letsencrypt: nobody has to reach into its container.

WATCH_EVERY_S=2
# What was refused is tried again after so many rounds: nobody tells us when it is mended.
ROUNDS_TO_RETRY=5
LOOKED_AT="$NGINX_FOLDER/sidecar/looked-at"

# As the sidecar reads it, blanks around it or not.
is_watching() {
    case " ${CERTBOT_DEPLOY-} " in *" nginx:watch "* | *" nginx:watch$CR "*) ;; *) return 1 ;; esac
}

# Sets SEEN to all that is to be taken over: the list, and how both files of each pair begin. By variables, as find_problem.
look() {
    # Before anything is read: what is written meanwhile is not older. `true`, since a failing `:` would end the shell.
    true 2>/dev/null >"$LOOKED_AT"
    SEEN=$(cat "$LETSENCRYPT_FOLDER/sidecar/certificates" 2>/dev/null)$NEWLINE
    PAIRS=""
    for pair in "$LETSENCRYPT_FOLDER"/live/*/fullchain.pem; do
        pair=${pair%/*}
        read_beginnings "$pair"
        SEEN="$SEEN$pair $BEGINNINGS$NEWLINE"
        PAIRS="$PAIRS$pair$NEWLINE"
    done
}

# read_beginnings PAIR: sets BEGINNINGS to the lines after the first, which tell keys apart, and certificates by their serial number.
read_beginnings() {
    BEGINNINGS=""
    for pair_file in "$1/fullchain.pem" "$1/privkey.pem"; do
        begins=""
        if [ -f "$pair_file" ] && [ -r "$pair_file" ]; then { read -r _; read -r begins; } <"$pair_file"; fi
        BEGINNINGS="$BEGINNINGS|$begins"
    done
}

# Whether something has been written since the last look. The sidecar publishes by renames in these two folders, which gives `live`
# and the list a new time. Nothing is forked here.
has_news() {
    for watched in "$LETSENCRYPT_FOLDER/sidecar/certificates" "$LETSENCRYPT_FOLDER/live"; do
        if [ -e "$watched" ] && ! [ "$LOOKED_AT" -nt "$watched" ]; then return; fi
    done
    # One pair a round, in turn: somebody may write into its file, or put one back with its old time.
    TURN=${TURN:-$PAIRS}
    pair=${TURN%%"$NEWLINE"*}
    TURN=${TURN#*"$NEWLINE"}
    if [ -z "$pair" ]; then return 1; fi
    read_beginnings "$pair"
    case $NEWLINE$SEEN in *"$NEWLINE$pair $BEGINNINGS$NEWLINE"*) return 1 ;; esac
}

# Until nginx is gone, which has this shell's number. Begin with a `look`, before the step.
watch_certificates() {
    CERT_SIDECAR_STEP=watch
    export CERT_SIDECAR_STEP
    TURN=""
    REFUSAL=""
    round=0
    # For what nginx refused at its start the version before can stand in from now on.
    if noted refused | grep -q '^certificate[|]'; then REFUSAL="at the start" round=$ROUNDS_TO_RETRY; fi
    # A fork that fails, for want of memory, ends a shell; one that is killed says nothing.
    trap 'kill -0 "$$" 2>/dev/null && warn "nginx takes over nothing by itself any more: restart its container."' EXIT
    while sleep "$WATCH_EVERY_S"; kill -0 "$$" 2>/dev/null; do
        round=$((round + 1))
        seen_before=$SEEN
        if has_news; then look; fi
        if [ "$SEEN" != "$seen_before" ] || { [ -n "$REFUSAL" ] && [ "$round" -ge "$ROUNDS_TO_RETRY" ]; }; then take_over; fi
    done
}

# The step, nginx's test and the reload, as the sidecar does them elsewhere. What is wrong is said once.
take_over() {
    round=0
    # The version before may stand in for one that nginx serves, and nothing else: without that one nginx keeps what it has.
    on_trial=""
    for lineage in $(sed -n -e "s#^. certificate \([^ ]*\): served from $LETSENCRYPT_FOLDER/.*#\1#p" \
        -e "s#^. certificate \([^ ]*\): stands in: $LETSENCRYPT_FOLDER/.*#\1#p" "$BLOCKS_FILE" 2>/dev/null); do
        if ! choose_pair_before "$lineage"; then on_trial="$on_trial $lineage"; fi
    done
    # shellcheck disable=SC2086 # names of lineages, one word each
    if ! said=$(/bin/sh "$folder/certificate-step.sh" $on_trial 2>&1); then
        refusal_now="the certificate step has failed: $said"
    else
        if [ -n "$said" ]; then printf '%s\n' "$said"; fi
        if ! ask_nginx; then
            refusal_now="nginx refuses its configuration: $NGINX_SAID"
        elif ! said=$(nginx -s reload 2>&1); then
            refusal_now="nginx can't be told to reload: $said"
        else
            REFUSAL=""
            say "nginx takes over the certificates as they are now"
            return
        fi
    fi
    if [ "$refusal_now" != "$REFUSAL" ]; then warn "nginx goes on with the certificates that it has until this is mended: $refusal_now"; fi
    REFUSAL=$refusal_now
}
