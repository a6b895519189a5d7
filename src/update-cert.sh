#!/bin/sh
# The old path of the command: people and scripts call `/bin/sh /update-cert.sh` and look for the two lines at its end.
update-cert "$@" || exit $?
reload_note=" (cert-sidecar has already done so where nginx runs, and checked it.)"
# CERTBOT_OPTIONS counts too: it may hold a --dry-run. Nothing in it is a pattern for file names.
set -f
for word in ${CERTBOT_OPTIONS-} "$@"; do
    case $word in
    --json | --help | -h) exit 0 ;;
    --dry-run) reload_note="" ;;
    esac
done
echo "Certificate operation successful"
echo "Please ensure to reload Nginx to apply any certificate changes.$reload_note"
