"""Processes of our own code: nothing but that code, whatever the folder or the variables say.

Python puts the current folder before everything that is installed, and takes more from variables:
who restores in a folder of somebody else would run what lies there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import agent
from agent.platforms.places import neutral_folder
from agent.platforms.signals import own_group

# One program with its own Python, as packages bring it: it can't be asked to run other code.
IS_BUNDLED = bool(getattr(sys, "frozen", False))
# What such a program is told to be a process of ours: before the name of a module.
WORKER = "--worker"

# Names of files are UTF-8 whatever the locale, which an isolated Python is told here.
ISOLATED = (sys.executable, "-I", "-X", "utf8")

# Our code is where this process has it from: isolated, Python knows of no folder but its own.
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module;"
    " import_module(sys.argv[2]).main()"
)
_CODE = os.path.dirname(os.path.dirname(os.path.abspath(agent.__file__)))

# What Python, OpenSSL and the system itself go by; whatever else may be a secret of somebody's.
_HANDED_ON = (
    *("LANG", "LC_ALL", "LC_CTYPE", "TZ", "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "TMPDIR"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "COFFRE_AGENT_FOLDERS"),
)


def start(module: str, inherited: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start `main` of a module of ours, with pipes for input and output.

    `inherited` are descriptors that it needs. Secrets go to it by its input alone.
    """
    command = [sys.executable, WORKER] if IS_BUNDLED else [*ISOLATED, "-c", _START, _CODE]
    more: dict[str, Any] = own_group()  # Ctrl-C is for the one who was started: it ends us in order
    return subprocess.Popen(
        [*command, module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=neutral_folder(),
        env={name: os.environ[name] for name in _HANDED_ON if name in os.environ},
        pass_fds=inherited,
        **more,
    )
