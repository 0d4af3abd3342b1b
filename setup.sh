#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages of packages.txt that this machine lacks, and writes the stamp file
# named by its argument.  Says what it installs and why.  Needs nothing but a Debian base system.
set -eu
stamp=$1
list=$(dirname "$0")/packages.txt
log=$(dirname "$stamp")/setup.log
mkdir -p "$(dirname "$stamp")"

say() {
    echo "setup: $*" >&2
}

wanted=$(sed -n 's/^\([a-z0-9][^ ]*\) .*/\1/p' "$list")
if ! command -v dpkg-query >/dev/null; then
    say "this is not Debian, so nothing is installed; Limen needs what these packages hold:"
    grep -v '^#' "$list" >&2
else
    # dpkg-query fails when it knows nothing of a package: that package is missing, no more.
    # shellcheck disable=SC2086  # one word a package
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
        sed -n 's/^installed //p') || true
    missing=
    for package in $wanted; do
        echo "$installed" | grep -qx "$package" || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        say "these Debian packages are missing:"
        for package in $missing; do
            grep "^$package " "$list" | sed 's/^/setup:   /' >&2
        done
        install="apt-get install -y --no-install-recommends$missing"
        if [ "$(id -u)" = 0 ]; then
            as_root=
        elif command -v sudo >/dev/null; then
            as_root=sudo
        else
            say "installing needs root, and there is no sudo.  As root, run:"
            say "  apt-get update && $install"
            exit 1
        fi
        say "installing them with apt-get; this takes about a minute.  It reports to $log."
        {
            $as_root apt-get update -q
            # shellcheck disable=SC2086  # one word an argument
            $as_root env DEBIAN_FRONTEND=noninteractive $install -q
        } >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            say "apt-get failed; the end of what it said stands above.  To try by hand:"
            say "  ${as_root:+sudo }apt-get update && ${as_root:+sudo }$install"
            exit 1
        }
        say "done."
    fi
fi
echo "# The packages of packages.txt are installed." >"$stamp"
