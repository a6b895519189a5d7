# Makes the two servers of each line `lineage|options of port 80|options of TLS|names|answer|certificate|key|HSTS|words`. Without a
# certificate there is one for TLS no more than there are words of it.

BEGIN { FS = "|" }
{
    text = ENVIRON["HTTP_SERVER"]
    if ($6 != "") text = text "\n" ENVIRON["HTTPS_SERVER"]
    gsub(/[$][{]HTTP_LISTEN_OPTIONS[}]/, $2, text)
    gsub(/[$][{]HTTPS_LISTEN_OPTIONS[}]/, $3, text)
    gsub(/[$][{]SERVER_NAMES[}]/, $4, text)
    gsub(/[$][{]HTTP_ANSWER[}]/, $5, text)
    gsub(/[$][{]CERTIFICATE_FILE[}]/, $6, text)
    gsub(/[$][{]KEY_FILE[}]/, $7, text)
    gsub(/[$][{]HSTS_DIRECTIVE[}]/, $8, text)
    if ($9 != "") print "# " ($1 == "@others" ? "other names" : "certificate " $1) ": " $9
    print text
}
