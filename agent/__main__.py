"""`coffre-agent` and `python -m agent`."""

from __future__ import annotations

import os
import sys

from agent.commands import app


def main() -> None:
    """Run the command line; never returns."""
    if getattr(sys, "frozen", False):
        _leave_the_bundle()
    _speak_utf8()
    _know_home()
    app(prog_name="coffre-agent")


def _leave_the_bundle() -> None:
    """Do what a worker is started for, and keep the bundle's libraries from programs of others."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before
    if sys.argv[1:2] == ["--worker"]:
        from importlib import import_module  # noqa: PLC0415 - of a worker alone

        import_module(sys.argv[2]).main()
        sys.exit()


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
