# shellcheck shell=sh
# Which certificate and key a server block gets: the real pair, the hand-made one, or a placeholder.

HAS_OPENSSL=no
if command -v openssl >/dev/null 2>&1; then HAS_OPENSSL=yes; fi
# The operator's /etc/ssl lies over the image's, so its openssl.cnf is not there; a user's own is not wanted.
export OPENSSL_CONF=/dev/null

# choose_pair LINEAGE: sets CERTIFICATE_FILE and KEY_FILE (empty: no HTTPS), IS_REAL, and PAIR_WORDS for people.
# Only a real certificate may turn on what a browser remembers: the redirect and HSTS.
choose_pair() {
    use_pair "$LETSENCRYPT_FOLDER/live/$1/fullchain.pem" "$LETSENCRYPT_FOLDER/live/$1/privkey.pem"
    examine_pair "$1"
    if [ -z "$PAIR_PROBLEM" ]; then
        IS_REAL=$IS_CA_ISSUED
        PAIR_WORDS="served from $CERTIFICATE_FILE"
        return
    fi
    own_problem=$PAIR_PROBLEM
    PROBLEMS="$PROBLEMS$1 $own_problem$NEWLINE"
    choose_legacy_pair
    if [ -n "$CERTIFICATE_FILE" ]; then
        IS_REAL=no
        PAIR_WORDS="stands in: $CERTIFICATE_FILE, because $own_problem"
    else
        choose_placeholder "$1" "$own_problem"
    fi
}

# The pair an operator put into nginx/ssl. Without a usable one CERTIFICATE_FILE is empty and PAIR_PROBLEM says why.
choose_legacy_pair() {
    use_pair "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME"
    examine_pair @legacy
    IS_REAL=$IS_CA_ISSUED
    PAIR_WORDS="served from $CERTIFICATE_FILE"
    if [ -n "$PAIR_PROBLEM" ]; then use_pair "" ""; fi
}

has_legacy_pair() {
    [ -f "$LEGACY_FOLDER/$NGINX_SSL_CERT_FILENAME" ] && [ -f "$LEGACY_FOLDER/$NGINX_SSL_CERT_KEY_FILENAME" ]
}

use_pair() {
    CERTIFICATE_FILE=$1
    KEY_FILE=$2
    export CERTIFICATE_FILE KEY_FILE
}

# examine_pair NAME: sets PAIR_PROBLEM (empty: usable) and IS_CA_ISSUED for CERTIFICATE_FILE and KEY_FILE. Without
# openssl presence has to do, and nginx's own test at start finds the rest.
examine_pair() {
    PAIR_PROBLEM=""
    IS_CA_ISSUED=yes
    for pair_file in "$CERTIFICATE_FILE" "$KEY_FILE"; do
        if [ -f "$pair_file" ] && [ -r "$pair_file" ]; then continue; fi
        PAIR_PROBLEM=$(why_absent "$pair_file")
        return
    done
    if [ "$HAS_OPENSSL" = yes ]; then examine_contents; fi
    if [ -z "$PAIR_PROBLEM" ]; then examine_refusal "$1"; fi
}

# why_absent FILE: what hides it, where something does.
why_absent() {
    absent_from=${1%/*}
    for hiding in "$LETSENCRYPT_FOLDER/live" "$LETSENCRYPT_FOLDER/archive" "$absent_from" \
        "$LETSENCRYPT_FOLDER/archive/${absent_from##*/}" "$1"; do
        if ! [ -e "$hiding" ] || [ -r "$hiding" ]; then continue; fi
        printf %s "$1 can't be read: root in nginx's container may not read $hiding (give it the capability DAC_OVERRIDE)"
        return
    done
    printf %s "$1 is missing"
}

# Values are handed over in variables: a fork for each would double the time that hundreds of certificates take.
examine_contents() {
    facts=$(openssl x509 -in "$CERTIFICATE_FILE" -noout -subject -issuer -pubkey 2>/dev/null) || facts=""
    read_public_key "$facts"
    certificate_key=$PUBLIC_KEY
    if [ -z "$certificate_key" ]; then
        PAIR_PROBLEM="$CERTIFICATE_FILE is not a certificate"
        return
    fi
    # An empty password, so that an encrypted key is an error and not a question.
    read_public_key "$(openssl pkey -in "$KEY_FILE" -pubout -passin pass: 2>/dev/null </dev/null)"
    subject=${facts#*subject=}
    issuer=${facts#*issuer=}
    if [ "$certificate_key" != "$PUBLIC_KEY" ]; then
        PAIR_PROBLEM="$KEY_FILE does not belong to $CERTIFICATE_FILE"
        return
    fi
    issuer=${issuer%%"$NEWLINE"*}
    # Let's Encrypt's staging says so in its issuers' names; no browser trusts them, expired or not.
    case $issuer in *"(STAGING)"*) IS_CA_ISSUED=no ;; esac
    if [ "${subject%%"$NEWLINE"*}" = "$issuer" ]; then
        IS_CA_ISSUED=no
        # For a server that would not start without files the sidecar leaves an expired pair there: version 0.
        openssl x509 -in "$CERTIFICATE_FILE" -noout -checkend 0 >/dev/null 2>&1 ||
            PAIR_PROBLEM="$CERTIFICATE_FILE is an expired placeholder"
    fi
}

# Sets PUBLIC_KEY to the key block in $1, whatever stands around it; empty when there is none.
read_public_key() {
    PUBLIC_KEY=""
    case $1 in *"-----BEGIN PUBLIC KEY-----"*"-----END PUBLIC KEY-----"*)
        PUBLIC_KEY=${1#*-----BEGIN PUBLIC KEY-----}
        PUBLIC_KEY=${PUBLIC_KEY%%-----END PUBLIC KEY-----*}
        ;;
    esac
}

# A pair that openssl reads but nginx refuses (a key that is too short for it) must not keep nginx from starting. With
# ASK_NGINX=yes nginx is asked about each pair alone; a refusal is remembered until the files change.
ASK_NGINX=no

examine_refusal() {
    refusal_file="$NGINX_FOLDER/placeholder/$1/refused"
    if [ "$ASK_NGINX" = no ] && ! [ -f "$refusal_file" ]; then return; fi
    pair_sum=$(cat "$CERTIFICATE_FILE" "$KEY_FILE" | cksum)
    if [ -f "$refusal_file" ] && [ "$(cat "$refusal_file")" = "$pair_sum" ]; then
        PAIR_PROBLEM="nginx refused $CERTIFICATE_FILE with its key"
    elif [ "$ASK_NGINX" = yes ] && ! nginx_accepts_pair; then
        PAIR_PROBLEM="nginx refuses $CERTIFICATE_FILE with its key: $NGINX_SAID"
        mkdir -p "${refusal_file%/*}"
        printf '%s\n' "$pair_sum" >"$refusal_file"
    fi
}

nginx_accepts_pair() {
    trial_file="$NGINX_FOLDER/sidecar/pair-trial.$$"
    render pair-trial.conf >"$trial_file" || die "cannot write $trial_file."
    pair_status=0
    NGINX_SAID=$(nginx -t -q -c "$trial_file" 2>&1) || pair_status=1
    rm -f "$trial_file"
    return "$pair_status"
}

# choose_placeholder NAME PROBLEM: a self-signed pair, made once and kept inside the container.
choose_placeholder() {
    IS_REAL=no
    pair_file="$NGINX_FOLDER/placeholder/$1/pair.pem"
    if [ -f "$pair_file" ] || make_placeholder "$1" "$pair_file"; then
        use_pair "$pair_file" "$pair_file"
        PAIR_WORDS="placeholder, not trusted by browsers, because $2"
    else
        use_pair "" ""
        PAIR_WORDS="left without HTTPS, because $2 and this image has no openssl to make a placeholder"
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
