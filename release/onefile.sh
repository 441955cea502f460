#!/bin/sh
# coffre-agent @version@ for Linux on x86-64: a script, and behind its last line the agent.
# It unpacks the agent once, and starts it with what it was given; root's is installed by that.
set -eu
if [ "$(id -u)" = 0 ]; then
    base=/opt/coffre-agent
else
    base=${XDG_DATA_HOME:-$HOME/.local/share}/coffre-agent
fi
there=$base/@version@-@build@
if [ ! -x "$there/coffre-agent" ]; then
    umask 022
    mkdir -p "$base"
    fresh=$(mktemp -d "$base/.new-XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    tail -n +@line@ "$0" | tar -xzf - -C "$fresh" --no-same-owner
    if ! "$fresh/coffre-agent" --version >/dev/null; then
        echo "This machine can't run the agent: it needs Linux on x86-64 with glibc @glibc@ or newer." >&2
        exit 1
    fi
    chmod 755 "$fresh"
    mv -T "$fresh" "$there" 2>/dev/null || [ -x "$there/coffre-agent" ]
    ln -s "$there" "$base/.current-$$"
    mv -T "$base/.current-$$" "$base/current"
    if [ "$(id -u)" = 0 ] && [ -d /usr/local/bin ]; then
        ln -sf /opt/coffre-agent/current/coffre-agent /usr/local/bin/coffre-agent
    fi
fi
exec "$there/coffre-agent" "$@"
