"""A RabbitMQ of our own beside any other: node name, home, ports and files are all its own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack import ports
from devstack.ports import Ports
from devstack.processes import Processes, Program, StartFailed, write_atomically
from libs.shared import bus

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
USER = "coffre"


@dataclass(frozen=True)
class RabbitMQ:
    """A running broker; `management` is the base URL of its HTTP API."""

    port: int
    password: str
    management: str

    def url(self, vhost: str = "/", user: str = USER, password: str = "") -> str:
        """Gives the AMQP URL of a virtual host, for the administrator or another account."""
        quoted = urllib.parse.quote(vhost, safe="")
        return f"amqp://{user}:{password or self.password}@127.0.0.1:{self.port}/{quoted}"

    def define(self, passwords: Mapping[str, str], vhost: str = "/") -> None:
        """Makes the services' accounts with their rights, exchange and queues, or sets them right.

        passwords: one for each service. One caller at a time: RabbitMQ looks whether an account
        is there before it makes it, and refuses the second of two who both found none.
        """
        self.call("POST", "definitions", bus.definitions(passwords, vhost))

    def create_vhost(self, name: str) -> None:
        """Creates a virtual host that our user may use fully."""
        self.call("PUT", f"vhosts/{name}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.call("PUT", f"permissions/{name}/{USER}", everything)

    def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with everything in it."""
        self.call("DELETE", f"vhosts/{name}")

    def call(self, method: str, path: str, body: object = None) -> object:
        """Calls the management API, `path` below `/api/`; gives the answer's JSON or None.

        Raises HTTPError, with the broker's reason as its note.
        """
        token = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.management}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            error.add_note(f"{method} {path}: {error.read(2000).decode(errors='replace')}")
            raise
        return json.loads(text) if text else None


def start(processes: Processes, folder: Path, password: str, free: Ports) -> RabbitMQ:
    """Starts the broker on free ports and waits until it takes connections."""
    if not (SCRIPTS / "rabbitmq-server").exists():
        raise StartFailed("RabbitMQ isn't installed: the package is called rabbitmq-server.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = ("amqp", "amqp-distribution", "epmd", "amqp-management")
    amqp, dist, epmd, http = (free.choose(name) for name in names)
    broker = RabbitMQ(amqp, password, f"http://127.0.0.1:{http}")
    _write_configuration(folder, amqp, http, password)
    environ = environment(folder, dist, epmd)
    log = folder.parent / "logs" / "rabbitmq.log"
    processes.start(
        Program(
            name="epmd",
            argv=["epmd", "-port", str(epmd), "-address", "127.0.0.1", "-relaxed_command_check"],
            environ=environ,
            cwd=folder,
            log=log,
        )
    )
    processes.wait_ready("epmd", lambda: ports.answers(epmd))
    processes.start(
        Program(
            name="rabbitmq",
            argv=[str(SCRIPTS / "rabbitmq-server")],
            environ=environ,
            cwd=folder,
            log=log,
            stop_seconds=30,
        )
    )
    processes.wait_ready("rabbitmq", lambda: _is_ready(broker))
    return broker


def _write_configuration(folder: Path, amqp: int, http: int, password: str) -> None:
    lines = [
        f"listeners.tcp.local = 127.0.0.1:{amqp}",
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {http}",
        f"default_user = {USER}\ndefault_pass = {password}",
        "disk_free_limit.absolute = 200MB",
        "log.file = false\nlog.console = true\nlog.console.level = warning",
        "management_agent.disable_metrics_collector = false",
    ]
    write_atomically(folder / "rabbitmq.conf", "\n".join(lines) + "\n")
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
    cookie = folder / ".erlang.cookie"
    if not cookie.exists():
        write_atomically(cookie, secrets.token_hex(20), 0o400)


def environment(folder: Path, dist: int, epmd: int) -> dict[str, str]:
    """Gives the variables of the broker and of every Erlang program that it starts."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    return kept | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # RabbitMQ starts a second Erlang to be sure of an epmd; one started so would outlive us.
        "ERL_AFLAGS": "-start_epmd false",
        "RUNNING_UNDER_SYSTEMD": "true",  # replaces its start script instead of staying below it
        "RABBITMQ_NODENAME": "coffre@localhost",
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
        ),
    }


def _is_ready(broker: RabbitMQ) -> bool:
    if not ports.answers(broker.port):
        return False
    try:
        broker.call("GET", "overview")
    except (urllib.error.URLError, OSError):
        return False
    return True
