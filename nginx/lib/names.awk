# Reads the wanted certificates, one a line, and prints for each `lineage|option|names`; option is default_server or
# empty. After them, `@others|option|names` tells what is left for the server of all other names.
#   source=list:           <lineage> <default|-> <real|test> <name> <name> …, or without the two words   (# starts a comment)
#   source=CERTBOT_DOMAIN: <name> <name> …             (the lineage is called after the first name)
# What comes out is safe inside an nginx configuration and a path: every word is checked against the few characters
# that names have. A refused word is reported on stderr and left out.

function warn(words) {
    print "cert-sidecar: " words | "cat >&2"
}

function refuse(word, why) {
    gsub(/[^ -~]/, "?", word)
    warn("\"" substr(word, 1, 100) "\" in " source " " why "; it is left out.")
}

function is_domain(text,    labels, count, i) {
    if (length(text) > 253) return 0
    count = split(text, labels, ".")
    for (i = 1; i <= count; i++)
        if (length(labels[i]) > 63 || labels[i] !~ /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/) return 0
    return count > 1
}

function is_ipv6(text) {
    return text ~ /^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*$/ && length(text) <= 45
}

function is_ip(text) {
    return is_ipv6(text) || text ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/
}

# An IPv6 address may be typed as it stands in a URL.
function bare_address(word) {
    if (word ~ /^\[.*\]$/) return substr(word, 2, length(word) - 2)
    return word
}

function is_name(text) {
    if (substr(text, 1, 2) == "*.") return is_domain(substr(text, 3)) && !is_ip(substr(text, 3))
    return is_domain(text) || is_ipv6(text)
}

# certbot allows more in a lineage's name than a domain has, and calls that of an IPv6 address by the address; a dot or dash
# in front would be a hidden file or an option. Files are called after it: a longer one waits for the sidecar's list.
function is_lineage(text) {
    return text ~ /^[A-Za-z0-9_:][A-Za-z0-9._:-]*$/ && length(text) <= 200
}

function add_certificate(lineage, first,    i, word, names, has_ip) {
    if (!is_lineage(lineage)) {
        refuse(lineage, "is not a certificate's name")
        return
    }
    if (lineage in position) {
        refuse(lineage, "is there twice")
        return
    }
    for (i = first; i <= NF; i++) {
        word = tolower($i)
        sub(/\.$/, "", word)
        word = bare_address(word)
        if (!is_name(word)) refuse($i, "is not a domain name or an IP address")
        else if (word in owner) {
            if (owner[word] != lineage) refuse(word, "belongs to the certificate " owner[word] " already")
        } else {
            owner[word] = lineage
            if (is_ip(word)) has_ip = 1
            names = names (names == "" ? "" : " ") (is_ipv6(word) ? "[" word "]" : word)
        }
    }
    if (names == "") return
    position[lineage] = ++count
    lineages[count] = lineage
    names_of[count] = names
    if (!has_ip) return
    # A client that connects to an IP address names no server (RFC 6066 §3): it gets the default one.
    if (!default_at) default_at = count
    else warn("clients of an IP address get the certificate " lineages[default_at] ", so that those of " lineage " are not served; put all addresses into one certificate.")
}

{ gsub(/\r/, ""); sub(/#.*/, "") }
NF == 0 { next }
source == "list" { add_certificate($1, ($2 == "default" || $2 == "-") && ($3 == "real" || $3 == "test") ? 4 : 2); next }
{
    # The placeholders of .env.example mean: not set yet.
    for (i = 1; i <= NF; i++) if ($i == "your_domain.com" || $i == "example.com") $i = ""
    $0 = $0
    if (NF == 0) next
    lineage = bare_address(tolower($1))
    sub(/^\*\./, "", lineage)
    sub(/\.$/, "", lineage)
    # As the sidecar calls it.
    sub(/^:/, "0:", lineage)
    gsub(/:/, "-", lineage)
    add_certificate(lineage, 1)
}

END {
    if (count && !default_at) default_at = 1
    for (i = 1; i <= count; i++) print lineages[i] "|" (i == default_at ? "default_server" : "") "|" names_of[i]
    total = split(tolower(other_names), others, " ")
    for (i = 1; i <= total; i++) if (!(others[i] in owner)) left = left (left == "" ? "" : " ") others[i]
    print "@others|" (count ? "" : "default_server") "|" left
}
