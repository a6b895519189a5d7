# Reads the wanted certificates, one a line, and prints for each `lineage|default_server or nothing|real, test or unknown|names`,
# then `@others|default_server or nothing||names`: what is left for the server of all other names.
#   source=list:           <lineage> <default|-> <real|test> <name> …   all is decided by the sidecar
#                          <lineage> <name> …                           as an older one has left it
#   source=CERTBOT_DOMAIN: <name> …                                     plain names alone, where there is no list yet
# What comes out is safe inside an nginx configuration and a path, and nginx takes it as names.

function refuse(words, what) {
    gsub(/[^ -~]/, "?", words)
    print "cert-sidecar: \"" substr(words, 1, 100) "\" in " source " has what no certificate's name or domain name has; " what " is left out." | "cat >&2"
}

{ gsub(/\r/, ""); sub(/#.*/, "") }
source != "list" {
    # The placeholders of .env.example mean: not set yet.
    for (i = 1; i <= NF; i++) if ($i == "your_domain.com" || $i == "example.com") $i = ""
    $0 = tolower($0) " "
    gsub(/\. /, " ")
    lineage = $1
    sub(/^\*\./, "", lineage)
    # The sidecar reads every form of a name: until it has, the others are served.
    for (i = 2; i <= NF; i++) if ($i !~ /^([*][.])?[a-z0-9_-]+([.][a-z0-9_-]+)*$|^[[]?[0-9a-f:.]*:[0-9a-f:.]*[]]?$/) { refuse($i, "it"); $i = "" }
    if (NF) $0 = lineage " " $0
}
NF == 0 { next }
$2 != "default" && $2 != "-" {
    names = ""
    word = "-"
    for (i = 2; i <= NF; i++) {
        # A client that connects to an IP address names no server (RFC 6066 §3): it gets the default one.
        if ($i ~ /:/ || $i ~ /^[0-9.]+$/) word = "default"
        names = names " " ($i ~ /^[^[]*:/ ? "[" $i "]" : $i)
    }
    $0 = $1 " " word " unknown" names
}
!/^[A-Za-z0-9_:][A-Za-z0-9._:-]* +(default|-) +(real|test|unknown)( +([*][.])?[a-z0-9_-]+([.][a-z0-9_-]+)*| +[[][0-9a-f:.]+[]])+ *$/ || length($1) > 200 {
    refuse($0, "the line")
    next
}
$1 in seen { next }
{
    seen[$1]
    line[++count] = $1
    kind[count] = $3
    if ($2 == "default" && !default_at) default_at = count
    for (i = 4; i <= NF; i++) {
        owned[$i]
        names_of[count] = names_of[count] (i > 4 ? " " : "") $i
    }
}
END {
    if (count && !default_at) default_at = 1
    for (i = 1; i <= count; i++) print line[i] "|" (i == default_at ? "default_server" : "") "|" kind[i] "|" names_of[i]
    total = split(tolower(other_names), others, " ")
    for (i = 1; i <= total; i++) if (!(others[i] in owned)) left = left (left == "" ? "" : " ") others[i]
    print "@others|" (count ? "" : "default_server") "||" left
}
