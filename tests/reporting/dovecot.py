"""A real IMAP server for the time of a test."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack import ports
from tests.servers import free_port

PASSWORD = "Zk3-mailbox"
PROGRAM = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def running() -> Iterator[int]:
    """Serves mailboxes on the port that it gives; any user, one password."""
    assert PROGRAM, "the package dovecot-imapd is missing: ./run test installs it"
    with tempfile.TemporaryDirectory(prefix="coffre-dovecot-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with _serving(folder) as port:
            yield port


@contextmanager
def _serving(folder: Path) -> Iterator[int]:
    is_root = os.geteuid() == 0
    user = "mail" if is_root else getpass.getuser()  # root may have no mailbox there
    accounts = "" if is_root else _OWN_ACCOUNT.format(user=user)
    mails = folder / "mails"
    mails.mkdir()
    if is_root:
        shutil.chown(mails, user)
    port = free_port()
    config = folder / "dovecot.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port, user=user) + accounts)
    process = subprocess.Popen(
        [PROGRAM, "-F", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not ports.answers(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "Dovecot does not answer"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(20)


_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mails/%u
first_valid_uid = 1
passdb {{
  driver = static
  args = password=Zk3-mailbox
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={folder}/mails/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""
_OWN_ACCOUNT = """
default_internal_user = {user}
default_internal_group = {user}
default_login_user = {user}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
"""
