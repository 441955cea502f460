"""`coffre-agent` and `python -m agent`."""

from __future__ import annotations

import os
import sys

from agent.commands import app


def main() -> None:
    """Run the command line; never returns."""
    _speak_utf8()
    _know_home()
    # Without a name for its variable, click offers no completion for shells.
    app(prog_name="coffre-agent", complete_var="")


def _speak_utf8() -> None:
    """Start anew where Python takes names of files for another encoding's, by the locale.

    The configuration is UTF-8, and its names and patterns are those bytes on the disk.
    """
    if sys.platform != "win32" and sys.getfilesystemencoding() != "utf-8":
        if os.environ.get("PYTHONUTF8") != "1":
            os.environ["PYTHONUTF8"] = "1"
            os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _know_home() -> None:
    """Set HOME where a timer started us without: dumps look there for ~/.pgpass and ~/.my.cnf."""
    if sys.platform != "win32" and not os.environ.get("HOME"):
        import pwd  # noqa: PLC0415 - seldom needed

        try:
            os.environ["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir or "/"
        except KeyError:
            os.environ["HOME"] = "/"


if __name__ == "__main__":
    main()
