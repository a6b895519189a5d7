# shellcheck shell=sh
# With CERTBOT_DEPLOY=nginx:watch nginx takes over by itself what changes in /etc/letsencrypt: nobody has to reach into its container.
# Whoever tells it, a file of the operator's that is left out is tried again by itself: it may have waited for the name of an app.

WATCH_EVERY_S=2
# What was refused is tried again after so many rounds: nobody tells us when it is mended.
ROUNDS_TO_RETRY=5
# A file that is left out first, and at last: each time it costs some tests of nginx's.
FIRST_ROUNDS_TO_FILES=2
MOST_ROUNDS_TO_FILES=300
LOOKED_AT="$NGINX_FOLDER/sidecar/looked-at"

# As the sidecar reads it, blanks around it or not.
is_watching() {
    case " ${CERTBOT_DEPLOY-} " in *" nginx:watch "* | *" nginx:watch$CR "*) ;; *) return 1 ;; esac
}

# Sets SEEN to all that is to be taken over: the list, and how both files of each pair begin. By variables, as find_problem.
look() {
    # Before anything is read: what is written meanwhile is not older. `true`, since a failing `:` would end the shell.
    true 2>/dev/null >"$LOOKED_AT"
    for watched in "$LETSENCRYPT_FOLDER/sidecar/certificates" "$LETSENCRYPT_FOLDER/live"; do
        had="$LOOKED_AT.${watched##*/}"
        touch -r "$watched" "$had" 2>/dev/null || rm -f "$had"
    done
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
# and the list a new time: one that is not before the look, or, where a clock was set back or is another machine's, another than
# they had then. Nothing is forked here.
has_news() {
    for watched in "$LETSENCRYPT_FOLDER/sidecar/certificates" "$LETSENCRYPT_FOLDER/live"; do
        if ! [ -e "$watched" ]; then continue; fi
        had="$LOOKED_AT.${watched##*/}"
        if ! [ "$LOOKED_AT" -nt "$watched" ] || ! [ -e "$had" ] || [ "$watched" -nt "$had" ] || [ "$had" -nt "$watched" ]; then return; fi
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
    begin_with_files
    while next_round; do
        seen_before=$SEEN
        if has_news; then look; fi
        if [ "$SEEN" != "$seen_before" ]; then take_over; else try_again; fi
    done
}

# As above where nobody but the sidecar takes over certificates, and until no file is left out.
watch_files() {
    REFUSAL=""
    round=0
    begin_with_files
    while [ -n "$LEFT_OUT$REFUSAL" ] && next_round; do try_again; done
}

begin_with_files() {
    LEFT_OUT=$(left_out_files)
    rounds_to_files=$FIRST_ROUNDS_TO_FILES
    rounds_without_files=0
}

left_out_files() {
    noted refused | grep '^file[|]' | cut -d '|' -f 1,2
}

# False when nginx is gone.
next_round() {
    sleep "$WATCH_EVERY_S"
    round=$((round + 1))
    rounds_without_files=$((rounds_without_files + 1))
    kill -0 "$$" 2>/dev/null
}

try_again() {
    if [ -n "$REFUSAL" ]; then
        if [ "$round" -ge "$ROUNDS_TO_RETRY" ]; then take_over; fi
    elif [ -n "$LEFT_OUT" ] && [ "$rounds_without_files" -ge "$rounds_to_files" ]; then
        rounds_without_files=0
        rounds_to_files=$((rounds_to_files * 2))
        if [ "$rounds_to_files" -gt "$MOST_ROUNDS_TO_FILES" ]; then rounds_to_files=$MOST_ROUNDS_TO_FILES; fi
        take_over unless-same
    fi
}

# What the step writes for nginx.
written() {
    cat "$BLOCKS_FILE" "$NGINX_FOLDER/sidecar/user-files.conf" 2>/dev/null
}

# take_over [unless-same]: the step, nginx's test and the reload, as the sidecar does them elsewhere. What is wrong is said once.
take_over() {
    round=0
    written_before=""
    if [ "${1-}" = unless-same ]; then written_before=$(written); fi
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
        LEFT_OUT=$(left_out_files)
        if [ "$(written)" = "$written_before" ]; then return; fi
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
