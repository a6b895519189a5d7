#!/bin/sh
# Brings nginx's server blocks in line with the certificates on disk. Run by the entrypoint at start, and by the sidecar
# (docker exec) after a certificate has changed; it reloads nothing: nginx's test and reload come after it. Where nothing is new
# but the pairs themselves, and nginx takes them, there is nothing to do.
# Prints one line for each change, nothing when all is as it was. May run at any time, twice at once, or die half-way.
# Exit 0: the blocks agree with the certificates. 1: they could not be written; the reason is on stderr.
#
# No line here may be blank or end in code: see entrypoint.sh.
folder=$(dirname "$0") #
for part in files settings search settled; do code=$(tr -d '\r' <"$folder/lib/$part.sh") || exit 1; eval "$code"; done #
REFUSED=$(noted refused) #
check_settings quietly #
if is_settled; then exit 0; fi #
for part in pairs own-servers blocks; do code=$(tr -d '\r' <"$folder/lib/$part.sh") || exit 1; eval "$code"; done #
derive_settings #
run_certificate_step "$@" #
