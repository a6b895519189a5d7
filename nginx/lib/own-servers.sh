# shellcheck shell=sh
# Servers of the operator's in conf.d: for a name and port they win over ours, since nginx reads them first.

# default_server_on PORT: what makes ours the default server of a port, unless one of the operator's is.
default_server_on() {
    all_addresses="[*]|0[.]0[.]0[.]0|[[]::[]]"
    at="(($all_addresses):)?$1"
    # It is the port of an address without one.
    if [ "$1" = 80 ]; then at="($at|$all_addresses)"; fi
    listens="listen[[:space:]]+$at[[:space:]]([^;]*[[:space:]])?default(_server)?[[:space:];]"
    if cat "$NGINX_FOLDER"/conf.d/*.conf 2>/dev/null | sed 's/#.*//' | tr '\n\r' '  ' | grep -Eq "$listens"; then return; fi
    printf ' default_server'
}

# Says, once for each, where ours is left out, and writes it down for the sidecar: nginx's own test tells. `_` is no name.
tell_own_servers() {
    own_before=$(cat "$NGINX_FOLDER/sidecar/own-servers" 2>/dev/null) || own_before=""
    own_servers=""
    for user_file in "$NGINX_FOLDER"/conf.d/*.conf; do
        if ! [ -f "$user_file" ]; then continue; fi
        own_servers=$(nginx -t -q 2>&1 |
            sed -n '/"_"/d; s/.*conflicting server name "\([^"]*\)" on .*:\([0-9]*\), ignored.*/\1 \2/p' | sort -u)
        break
    done
    note own-servers "$own_servers"
    printf '%s\n' "$own_servers" | grep . | grep -vxFe "$own_before" | while read -r name port; do
        challenge=""
        if [ "$port" = "$NGINX_PORT" ] && ! shows_challenges "$name"; then
            challenge="; write 'include $NGINX_FOLDER/sidecar/challenge.conf;' into it, or no CA can verify the name"
        fi
        say "$name on port $port: a server of your own answers, ours is left out$challenge"
    done
}

# Whether a file of the operator's that has the name $1 has a place for challenges, too.
shows_challenges() {
    grep -lF -e "$1" "$NGINX_FOLDER"/conf.d/*.conf | while read -r user_file; do
        sed 's/#.*//' "$user_file" | grep -E 'acme-challenge|sidecar/challenge[.]conf'
    done | grep -q .
}
