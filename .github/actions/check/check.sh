#!/bin/sh
# The check of the action: MBV2_CONFIG and MBV2_FORWARD are its inputs.
set -eu
set -- --format github
[ -z "${MBV2_CONFIG:-}" ] || set -- "$@" --config "$MBV2_CONFIG"
if [ "${MBV2_FORWARD:-false}" = true ]; then
    set -- "$@" --forward
else
    set -- "$@" --no-forward
fi
exec mbv2 check "$@"
