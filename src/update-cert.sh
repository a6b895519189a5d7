#!/bin/sh
# The old path of the command: people and scripts call `/bin/sh /update-cert.sh` and look for the two lines at its end.
update-cert "$@" || exit $?
echo "Certificate operation successful"
echo "Please ensure to reload Nginx to apply any certificate changes. (cert-sidecar has already done so, and checked it.)"
