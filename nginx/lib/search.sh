# shellcheck shell=sh
# What nginx refuses is found by asking nginx: once for all, and by halving only when it refuses that. Each part is tried beside
# those before it: HTTPS, the settings, the operator's files, the hand-made pair, the certificates.

# `kind|which|stamp|nginx's words`, a line for each part that is given up: a setting gets its default, something stands in for a
# pair, a file is left out.
REFUSED=""
# Tries leave out the blocks of certificates that are given up, and the operator's files where their faults aren't looked for.
IS_TRIAL=no
WITH_USER_FILES=yes
# `number nginx's words` of the parts that a search has found.
FOUND=""
# At nginx's start everything may be given up. Later a slip is nginx's to refuse: it goes on with what it has.
IS_START=no
# Hundreds of broken pairs must not keep port 80 waiting.
MOST_TESTS=300

# is_refused KIND WHICH
is_refused() {
    case $NEWLINE$REFUSED in *"$NEWLINE$1|$2|"*) ;; *) return 1 ;; esac
}

# refusal_of KIND WHICH: nginx's words.
refusal_of() {
    printf '%s\n' "$REFUSED" | awk -F'|' -v kind="$1" -v which="$2" '$1 == kind && $2 == which { print $4; exit }'
}

# has_refused KIND: whether one of a kind is.
has_refused() {
    case $NEWLINE$REFUSED in *"$NEWLINE$1|"*) ;; *) return 1 ;; esac
}

# Chooses the blocks so that nginx takes them. Where it refuses something else, its own test is to tell.
settle_blocks() {
    REFUSED_BEFORE=$(noted refused)
    settings_before=$(refused_before setting)
    # Nothing else: it may be taken by now, also because nginx itself was mended.
    if takes_all_but ""; then return; fi
    PARTS=$(list_parts)
    remembered=$(remembered_refusals)
    if [ -n "$remembered" ] && takes_all_but "$remembered"; then return; fi
    FOUND=""
    files_before=""
    if ! takes_parts 1 0; then
        # A slip in a file of the operator's, made while nginx runs, hides nothing else.
        WITH_USER_FILES=no
        files_before=$(refused_before file)
        PARTS=$(printf '%s\n' "$PARTS" | grep -v '^file|')
    fi
    if [ "$WITH_USER_FILES" = yes ] || takes_parts 1 0; then
        find_refused takes_parts "$(printf '%s\n' "$PARTS" | grep -c .)"
        WITH_USER_FILES=yes
        takes_all_but "$files_before$NEWLINE$(found_parts)" || true
    else
        WITH_USER_FILES=yes
        takes_all_but "$(refused_before 'https|file')" || true
    fi
    if [ "$IS_START" = yes ]; then tell_refused; fi
}

# refused_before KINDS: the lines of these kinds.
refused_before() {
    printf '%s\n' "$REFUSED_BEFORE" | grep -E "^($1)[|]"
}

# takes_all_but LINES: chooses the blocks with these lines as REFUSED, and the settings of before; whether nginx takes that.
takes_all_but() {
    REFUSED=$settings_before$NEWLINE$1
    if [ "$IS_START" = yes ]; then apply_settings; fi
    choose_blocks
    nginx_takes
}

# `kind|which` of what may be given up. A certificate ON_TRIAL is not: who runs the step puts the version before back.
list_parts() {
    if [ "$IS_START" = yes ]; then
        printf 'https|-\n'
        printf '%s' "$CHANGED_SETTINGS" | sed 's/^/setting|/'
        for user_file in "$NGINX_FOLDER"/conf.d/*.conf; do
            if [ -f "$user_file" ]; then name_part "$user_file" && printf 'file|%s\n' "$NAMED"; fi
        done
    else
        refused_before 'https|file' | cut -d '|' -f 1,2
    fi
    if has_legacy_pair; then printf 'hand-made|-\n'; fi
    printf '%s\n' "$WANTED" | awk -F'|' -v on_trial="$ON_TRIAL" '$1 != "@others" && !index(on_trial, " " $1 " ") { print "certificate|" $1 }'
}

# name_part FILE: sets NAMED to its path as a line of these lists can have it.
name_part() {
    NAMED=$1
    case $1 in *[\|"$NEWLINE"]*) NAMED=$(printf %s "$1" | tr '|\n' '??') ;; esac
}

# What nginx has refused before, for as long as it is the same. An operator's file may wait for something that isn't in it.
remembered_refusals() {
    refused_before 'https|hand-made|certificate' | while IFS='|' read -r kind which stamp said; do
        case $ON_TRIAL in *" $which "*) continue ;; esac
        if [ "$stamp" = "$(stamp_of "$kind" "$which")" ]; then printf '%s\n' "$kind|$which|$stamp|$said"; fi
    done
}

# stamp_of KIND WHICH: another for another pair.
stamp_of() {
    case $1 in
    certificate) use_pair "$LETSENCRYPT_FOLDER/live/$2/fullchain.pem" "$LETSENCRYPT_FOLDER/live/$2/privkey.pem" ;;
    hand-made) use_pair "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME" ;;
    *) use_pair "" "" ;;
    esac
    # A pipe in a file's place would be waited for without end.
    if [ -f "$CERTIFICATE_FILE" ] && [ -f "$KEY_FILE" ]; then cat "$CERTIFICATE_FILE" "$KEY_FILE"; fi 2>/dev/null | cksum | tr ' ' -
}

# takes_parts FIRST LAST: whether nginx takes the PARTS from one number to another beside those before, but those that are FOUND.
takes_parts() {
    # Certificates before have nothing to do with it, and hundreds take their time.
    others=$({ printf '%s=\n' "$FOUND"; printf '%s\n' "$PARTS"; } | awk -v first="$1" -v last="$2" '
        $0 == "=" { is_part = 1; next }
        !is_part { is_found[$1]; next }
        ++number > last || number in is_found || number < first && /^certificate/ { print $0 "||" }')
    IS_TRIAL=yes
    takes_all_but "$others"
    is_taken=$?
    IS_TRIAL=no
    return "$is_taken"
}

# find_refused TAKES LAST: `TAKES first last` says whether nginx takes the parts of these numbers without those that are FOUND. Sets
# FOUND to `number nginx's words`, a line for each that it does not take.
find_refused() {
    first=1
    tests=0
    while [ "$first" -le "$2" ] && ! "$1" "$first" "$2"; do
        low=$first
        high=$2
        while [ "$low" -lt "$high" ] && [ "$tests" -lt "$MOST_TESTS" ]; do
            middle=$(((low + high) / 2))
            tests=$((tests + 1))
            if "$1" "$low" "$middle"; then low=$((middle + 1)); else high=$middle; fi
        done
        # After so many tests the rest is given up unseen.
        for first in $(seq "$low" "$high"); do FOUND="$FOUND$first $NGINX_SAID$NEWLINE"; done
        first=$((first + 1))
    done
}

# What is FOUND as REFUSED has it.
found_parts() {
    printf '%s' "$FOUND" | while read -r number said; do
        part=$(printf '%s\n' "$PARTS" | sed -n "${number}p")
        printf '%s\n' "$part|$(stamp_of "${part%%|*}" "${part#*|}")|$said"
    done
}

# Pairs are told by the words of their blocks.
tell_refused() {
    printf '%s\n' "$REFUSED" | while IFS='|' read -r kind which _ said; do
        case $kind in
        https) warn "HTTPS is off until nginx is restarted with this repaired: $said" ;;
        setting) warn "$which=\"$(eval "printf %s \"\$GIVEN_$which\"")\" is not usable: $said. Using the default instead." ;;
        file) warn "$which is left out until nginx accepts it: $said" ;;
        esac
    done
}

# Whether nginx takes its configuration with what has been chosen in the place of what is there.
nginx_takes() {
    trial="$NGINX_FOLDER/trial.$$"
    if ! render_blocks >"$trial.blocks" || ! user_files >"$trial.files" || ! sed -e "s#[^[:space:]]*certificates\.d/[^;]*;#$trial.blocks;#" \
        -e "s#[^[:space:]]*sidecar/user-files\.conf;#$trial.files;#" "$NGINX_FOLDER/nginx.conf" >"$trial.conf"; then
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

# quote_path PATH: prints it as nginx takes it between quotes: for a file, not for a pattern of files.
quote_path() {
    case $1 in
    *[[*?]*) printf '%s\n' "$1" | sed 's/\\/\\\\/g; s/[[*?]/[&]/g' ;;
    *) printf '%s\n' "$1" ;;
    esac | sed 's/["\\]/\\&/g'
}

# Includes of the operator's files, but those that are refused.
user_files() {
    if [ "$WITH_USER_FILES" = no ]; then return; fi
    if ! has_refused file; then
        printf 'include %s/conf.d/*.conf;\n' "$NGINX_FOLDER"
        return
    fi
    for user_file in "$NGINX_FOLDER"/conf.d/*.conf; do
        name_part "$user_file"
        if [ -f "$user_file" ] && ! is_refused file "$NAMED"; then printf 'include "%s";\n' "$(quote_path "$user_file")"; fi
    done
}
