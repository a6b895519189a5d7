#!/bin/sh
# Brings nginx's server blocks in line with the certificates on disk. Run by the entrypoint at start, and by the sidecar
# (docker exec) after a certificate has changed; it reloads nothing: `nginx -t` and `nginx -s reload` come after it.
# Prints one line for each change, nothing when all is as it was. May run at any time, twice at once, or die half-way.
# Exit 0: the blocks agree with the certificates. 1: they could not be written; the reason is on stderr.
#
# No line here may be blank or end in code: see entrypoint.sh.
folder=$(dirname "$0") #
for part in files settings pairs own-servers blocks search; do code=$(tr -d '\r' <"$folder/lib/$part.sh") || exit 1; eval "$code"; done #
REFUSED=$(noted refused) #
read_settings quietly #
run_certificate_step "$@" #
