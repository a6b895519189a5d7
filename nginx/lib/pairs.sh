# shellcheck shell=sh
# Which certificate and key a server block gets: the real pair, the hand-made one, or a placeholder.

HAS_OPENSSL=no
if command -v openssl >/dev/null 2>&1; then HAS_OPENSSL=yes; fi
# The operator's /etc/ssl lies over the image's, so its openssl.cnf is not there; a user's own is not wanted.
export OPENSSL_CONF=/dev/null

# choose_pair LINEAGE real|test|unknown: sets CERTIFICATE_FILE and KEY_FILE (empty: no HTTPS), IS_REAL, and PAIR_WORDS for
# people. Only a real certificate may turn on what a browser remembers: the redirect and HSTS.
choose_pair() {
    use_pair "$LETSENCRYPT_FOLDER/live/$1/fullchain.pem" "$LETSENCRYPT_FOLDER/live/$1/privkey.pem"
    find_problem "$LETSENCRYPT_FOLDER/live" "$LETSENCRYPT_FOLDER/archive" "${KEY_FILE%/*}" "$LETSENCRYPT_FOLDER/archive/$1"
    if is_refused certificate "$1"; then PAIR_PROBLEM="nginx refuses $CERTIFICATE_FILE with its key: $(refusal_of certificate "$1")"; fi
    PAIR_WORDS="served from $CERTIFICATE_FILE"
    if [ -z "$PAIR_PROBLEM" ]; then
        if [ "$2" = real ] || { [ "$2" = unknown ] && is_ca_issued; }; then IS_REAL=yes; fi
        return
    fi
    own_problem=$PAIR_PROBLEM
    PROBLEMS="$PROBLEMS$1 $own_problem$NEWLINE"
    if is_refused certificate "$1" && choose_pair_before "$1"; then
        if [ "$2" != test ] && is_ca_issued; then IS_REAL=yes; fi
        PAIR_WORDS="stands in: $CERTIFICATE_FILE, the one before, because $own_problem"
    elif choose_legacy_pair; then
        IS_REAL=no
        PAIR_WORDS="stands in: $CERTIFICATE_FILE, because $own_problem"
    else
        PAIR_PROBLEM=$own_problem
        choose_placeholder "$1"
    fi
}

use_pair() {
    CERTIFICATE_FILE=$1
    KEY_FILE=$2
}

# choose_pair_before LINEAGE: the version that the sidecar showed before, whose folder it keeps; false without one. For a step that
# runs where nobody would put that version back, and not for nginx's start, which knows nothing of what nginx has taken.
choose_pair_before() {
    if [ "${CERT_SIDECAR_STEP-}" != watch ]; then return 1; fi
    for before in "$LETSENCRYPT_FOLDER/live/.$1".[0-9]*; do
        case ${before##*/."$1".} in *[!0-9-]*) continue ;; esac
        if [ "$before" -ef "$LETSENCRYPT_FOLDER/live/$1" ] || ! [ -r "$before/fullchain.pem" ] || ! [ -r "$before/privkey.pem" ]; then continue; fi
        use_pair "$before/fullchain.pem" "$before/privkey.pem"
        return
    done
    return 1
}

# The pair an operator put into nginx/ssl; false without a usable one, and PAIR_PROBLEM says why.
choose_legacy_pair() {
    use_pair "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME"
    find_problem
    if [ -z "$PAIR_PROBLEM" ] && is_refused hand-made -; then PAIR_PROBLEM="nginx refuses it: $(refusal_of hand-made -)"; fi
    PAIR_WORDS="served from $CERTIFICATE_FILE"
    [ -z "$PAIR_PROBLEM" ] || return 1
    if is_ca_issued; then IS_REAL=yes; fi
}

has_legacy_pair() {
    [ -f "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" ] && [ -f "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME" ]
}

# find_problem [FOLDER…]: sets PAIR_PROBLEM (empty: usable) for CERTIFICATE_FILE and KEY_FILE, which one of the folders may hide.
# By variables: a fork for each would double the time that hundreds of certificates take.
find_problem() {
    PAIR_PROBLEM=""
    for pair_file in "$CERTIFICATE_FILE" "$KEY_FILE"; do
        if [ -f "$pair_file" ] && [ -r "$pair_file" ]; then continue; fi
        PAIR_PROBLEM="$pair_file is missing"
        for hiding in "$@" "$pair_file"; do
            if ! [ -e "$hiding" ] || [ -r "$hiding" ]; then continue; fi
            PAIR_PROBLEM="$pair_file can't be read: root in nginx's container may not read $hiding (give it the capability DAC_OVERRIDE)"
            return
        done
        return
    done
}

# Whether a CA has issued CERTIFICATE_FILE, and not as a test, where nobody has said so. Without openssl that is believed.
is_ca_issued() {
    if [ "$HAS_OPENSSL" = no ]; then return; fi
    facts=$(openssl x509 -in "$CERTIFICATE_FILE" -noout -subject -issuer 2>/dev/null) || return 1
    subject=${facts#*subject=}
    case ${facts##*issuer=} in *"(STAGING)"* | "${subject%%"$NEWLINE"*}") return 1 ;; esac
}

# choose_placeholder NAME: a self-signed pair, made once and kept inside the container.
choose_placeholder() {
    pair_file="$NGINX_FOLDER/placeholder/$1/pair.pem"
    if [ -f "$pair_file" ] || make_placeholder "$1" "$pair_file"; then
        use_pair "$pair_file" "$pair_file"
        PAIR_WORDS="placeholder, not trusted by browsers, because $PAIR_PROBLEM"
    else
        use_pair "" ""
        PAIR_WORDS="left without HTTPS, because $PAIR_PROBLEM and this image has no openssl to make a placeholder"
    fi
}

# Certificate and key are one file, so that they arrive together even when two steps run at once.
make_placeholder() {
    [ "$HAS_OPENSSL" = yes ] || return 1
    mkdir -p "${2%/*}" || die "cannot make ${2%/*}."
    # A common name has 64 characters at most.
    SUBJECT=$(printf 'PLACEHOLDER for %.48s' "$1")
    export SUBJECT
    if (
        umask 077
        render placeholder.cnf >"$2.cnf.$$" || exit 1
        openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -config "$2.cnf.$$" \
            -keyout "$2.key.$$" -out "$2.new.$$" 2>"$2.log.$$" || exit 1
        cat "$2.key.$$" >>"$2.new.$$" && mv -f "$2.new.$$" "$2"
    ); then
        rm -f "$2".*.$$
        return 0
    fi
    warn "openssl could not make the placeholder $2: $(cat "$2.log.$$" 2>/dev/null)"
    rm -f "$2".*.$$
    return 1
}
