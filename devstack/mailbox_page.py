"""The pages of the mailbox: a list of mails, one mail; its HTML part is shown in a sandbox."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

NAME = re.compile(r"[0-9]+-[0-9]+-[0-9]+\.eml")
LINKS = "allow-popups allow-popups-to-escape-sandbox"  # a mail's links open in a new tab
SANDBOX = f"sandbox {LINKS}; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SHELL = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1c2733; background: #fff }}
a {{ color: #0b5cad }} table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #dde3e9 }}
pre {{ white-space: pre-wrap; background: #f4f6f8; padding: 1rem }}
iframe {{ width: 100%; height: 36rem; border: 1px solid #dde3e9 }}
</style></head><body>{body}</body></html>"""


def read(path: Path) -> EmailMessage:
    """Reads one kept mail."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def create_app(folder: Path) -> Starlette:
    """Makes the pages over the folder of mails."""

    def find(request: Request) -> Path:
        name: str = request.path_params["name"]
        path = folder / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise HTTPException(404, "There is no such mail.")
        return path

    def index(_request: Request) -> Response:
        rows = [_row(path) for path in sorted(folder.glob("[0-9]*.eml"), reverse=True)]
        head = "<tr><th>Date</th><th>To</th><th>Subject</th></tr>"
        table = f"<table>{head}{''.join(rows)}</table>" if rows else "<p>No mail yet.</p>"
        return _page("Mailbox", f"<h1>Mailbox</h1>{table}")

    def show(request: Request) -> Response:
        path = find(request)
        return _page(*_letter(path.name, read(path)))

    def show_html(request: Request) -> Response:
        part = read(find(request)).get_body(("html",))
        if part is None:
            raise HTTPException(404, "This mail has no HTML part.")
        shown = '<base target="_blank">' + part.get_content()
        return HTMLResponse(shown, headers={"Content-Security-Policy": SANDBOX})

    def show_source(request: Request) -> Response:
        return Response(
            find(request).read_bytes(),
            media_type="text/plain; charset=utf-8",
            headers={"X-Content-Type-Options": "nosniff"},
        )

    return Starlette(
        routes=[
            Route("/", index),
            Route("/mails/{name}", show),
            Route("/mails/{name}/html", show_html),
            Route("/mails/{name}/source", show_source),
        ]
    )


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        SHELL.format(title=escape(title), body=body),
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
            "frame-src 'self'"
        },
    )


def _row(path: Path) -> str:
    message = read(path)
    cells = [escape(str(message.get(name, ""))) for name in ("Date", "To", "Subject")]
    link = f'<a href="/mails/{path.name}">{cells[2] or "(no subject)"}</a>'
    return f"<tr><td>{cells[0]}</td><td>{cells[1]}</td><td>{link}</td></tr>"


def _letter(name: str, message: EmailMessage) -> tuple[str, str]:
    subject = str(message.get("Subject", "(no subject)"))
    lines = [
        f"<b>{header}:</b> {escape(str(message[header]))}<br>"
        for header in ("From", "To", "Date")
        if message[header]
    ]
    text = message.get_body(("plain",))
    body = f"<pre>{escape(text.get_content())}</pre>" if text else ""
    if message.get_body(("html",)):
        frame = f'<iframe sandbox="{LINKS}" title="HTML part" src="/mails/{name}/html"></iframe>'
        body = f"<h2>HTML</h2>{frame}<h2>Text</h2>{body}"
    links = f'<p><a href="/">All mails</a> · <a href="/mails/{name}/source">Source</a></p>'
    return subject, f"{links}<h1>{escape(subject)}</h1><p>{''.join(lines)}</p>{body}"
