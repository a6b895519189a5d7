# shellcheck shell=sh
# What nginx refuses is found by asking nginx: once for all, and by halving only when it refuses that.

# Hundreds of broken pairs must not keep port 80 waiting.
MOST_TESTS=300

# Chooses the blocks so that nginx takes them: something stands in for a pair that it refuses. IS_TAKEN=no: nginx refuses
# something else, which its own test is to tell.
settle_blocks() {
    IS_TAKEN=yes
    REFUSED=""
    LEGACY_REFUSAL=""
    choose_blocks
    remembered=$(remembered_refusals)
    # It may be taken by now: nginx itself may have been mended, which changes no pair.
    WITH_USER_FILES=yes
    if [ -n "$remembered" ] && ! nginx_takes "$CHOSEN"; then
        REFUSED=$remembered
        choose_blocks
    fi
    modes=yes
    if [ -n "$(ls "$NGINX_FOLDER"/conf.d/*.conf 2>/dev/null)" ]; then modes="yes no"; fi
    for WITH_USER_FILES in $modes; do
        if nginx_takes "$CHOSEN"; then
            note refused "$REFUSED"
            return
        fi
        IS_TAKEN=no
    done
    for WITH_USER_FILES in $modes; do
        if takes_foundation; then
            if look_for_pairs; then IS_TAKEN=yes; fi
            return
        fi
    done
    # What the start has given up, for a fault of no pair, comes back with that fault mended.
    if [ "$(noted https)" = off-by-rescue ]; then give_up_https; fi
}

give_up_https() {
    HTTPS_IS_GIVEN_UP=yes
    NGINX_HTTPS_ENABLED=false
    choose_blocks
}

# Whether nginx takes the blocks that no certificate has a part in: the other names', and one with TLS where it can be had. A
# hand-made pair that it refuses is left out of all of them.
takes_foundation() {
    everything=$CHOSEN
    CHOSEN=$(others_line)$NEWLINE
    if [ "$NGINX_HTTPS_ENABLED" != false ]; then
        choose_legacy_pair || choose_placeholder @others
        http_answer=app
        add_block @others "" "" placeholder.invalid
    fi
    nginx_takes "$CHOSEN"
    is_taken=$?
    CHOSEN=$everything
    if [ "$is_taken" = 0 ] || ! choose_legacy_pair; then return "$is_taken"; fi
    LEGACY_REFUSAL=$NGINX_SAID
    choose_blocks
    if takes_foundation; then return; fi
    LEGACY_REFUSAL=""
    choose_blocks
    return 1
}

others_line() {
    printf '%s' "$CHOSEN" | grep '^@others|'
}

look_for_pairs() {
    CANDIDATES=$(printf '%s' "$CHOSEN" | awk -F'|' -v on_trial="$ON_TRIAL" '$1 != "@others" && !index(on_trial, " " $1 " ")')
    if [ "$ON_TRIAL$LEGACY_REFUSAL" = " " ]; then IS_KNOWN=yes; fi
    find_refused takes_candidates "$(printf '%s\n' "$CANDIDATES" | grep -c .)"
    REFUSED=$REFUSED$NEWLINE$(printf '%s' "$FOUND" | while read -r number said; do
        lineage=$(printf '%s\n' "$CANDIDATES" | sed -n "${number}{s/|.*//;p;}")
        printf '%s\n' "$lineage $(stamp_of "$lineage") $said"
    done)
    note refused "$REFUSED"
    choose_blocks
    nginx_takes "$CHOSEN"
}

# What nginx has refused before, for as long as it is the same pair; what is on trial is to be asked of nginx itself.
remembered_refusals() {
    noted refused | while read -r lineage stamp said; do
        case $ON_TRIAL in *" $lineage "*) continue ;; esac
        if [ "$stamp" = "$(stamp_of "$lineage")" ]; then printf '%s\n' "$lineage $stamp $said"; fi
    done
}

stamp_of() {
    cat "$LETSENCRYPT_FOLDER/live/$1/fullchain.pem" "$LETSENCRYPT_FOLDER/live/$1/privkey.pem" 2>/dev/null | cksum | tr ' ' -
}

takes_candidates() {
    nginx_takes "$(others_line)$NEWLINE$(printf '%s\n' "$CANDIDATES" | sed -n "$1,$2p")$NEWLINE"
}

# find_refused TAKES LAST: `TAKES first last` says whether nginx takes the things of these numbers, and IS_KNOWN=yes that it does
# not take all of them. Sets FOUND to `number nginx's words`, a line for each that it does not take.
IS_KNOWN=no

find_refused() {
    FOUND=""
    first=1
    TESTS=0
    while [ "$first" -le "$2" ] && { [ "$IS_KNOWN" = yes ] || ! "$1" "$first" "$2"; }; do
        IS_KNOWN=no
        low=$first
        high=$2
        while [ "$low" -lt "$high" ] && [ "$TESTS" -lt "$MOST_TESTS" ]; do
            middle=$(((low + high) / 2))
            TESTS=$((TESTS + 1))
            if "$1" "$low" "$middle"; then low=$((middle + 1)); else high=$middle; fi
        done
        # After so many tests the rest is given up unseen.
        for first in $(seq "$low" "$high"); do FOUND="$FOUND$first $NGINX_SAID$NEWLINE"; done
        first=$((first + 1))
    done
}

# nginx_takes LINES: whether nginx takes its configuration with the blocks of these lines in the place of ours.
nginx_takes() {
    trial="$NGINX_FOLDER/trial.$$"
    left_out='^$'
    if [ "$WITH_USER_FILES" = no ]; then left_out='sidecar/user-files\.conf'; fi
    if ! render_blocks "$1" >"$trial.blocks" || ! sed -e "s#[^[:space:]]*certificates\.d/[^;]*;#$trial.blocks;#" -e "\\#$left_out#d" \
        "$NGINX_FOLDER/nginx.conf" >"$trial.conf"; then
        die "cannot write $trial.conf. Leave $NGINX_FOLDER inside the container and writable."
    fi
    trial_status=0
    ask_nginx -c "$trial.conf" || trial_status=1
    rm -f "$trial".*
    return "$trial_status"
}

# ask_nginx [OPTIONS]: nginx's own test; when it refuses, NGINX_SAID has the reason in one line.
ask_nginx() {
    if answer=$(nginx -t -q "$@" 2>&1); then return; fi
    # Without the time and the place, which are others each time.
    NGINX_SAID=$(printf '%s\n' "$answer" | awk '!found { said = $0 } /\[emerg\]/ { found = 1 } END { print said }' |
        sed -e 's/^.*\[emerg\] //; s/^[0-9]*#[0-9]*: //; s# in [^ ]*/trial\.[^ ]*##; s/|/ /g')
    return 1
}
