#!/bin/sh
# The nginx container's entrypoint: renders the configuration into the container, makes every certificate's server
# block, and becomes nginx. It needs a POSIX shell, awk, envsubst and nginx; openssl makes the placeholder certificates.
#
# No line here may be blank or end in code: a checkout with CRLF would run the CR. The trailing # hides it in a comment,
# and the library is stripped of it as it is read.
folder=$(dirname "$0") #
for part in files settings pairs own-servers blocks search settled watch start; do code=$(tr -d '\r' <"$folder/lib/$part.sh") || exit 1; eval "$code"; done #
start_nginx #
