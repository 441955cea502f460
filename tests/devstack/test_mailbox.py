"""The page of the mailbox shows mails and lets none of them act."""

from __future__ import annotations

import smtplib
import uuid
from email.message import EmailMessage

import httpx2

SCRIPT = "<script>document.title = 'taken over'</script>"


def test_a_hostile_mail_is_shown_and_stays_harmless(servers, mailbox) -> None:
    to = f"{uuid.uuid4().hex}@devstack.example"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "sender@devstack.example", to, f"Report {SCRIPT}"
    mail.set_content(f"text part {SCRIPT}")
    mail.add_alternative(f"<p>HTML part</p>{SCRIPT}", subtype="html")
    with smtplib.SMTP(servers.smtp_host, servers.smtp_port) as client:
        client.send_message(mail)
    mailbox.wait(to=to)
    kept = mailbox.folder.glob("[0-9]*.eml")
    name = next(path.name for path in kept if to.encode() in path.read_bytes())

    # The list reads every mail that any test has caused: that takes as long as it takes.
    with httpx2.Client(base_url=servers.mailbox_url, timeout=None) as browser:
        listed = browser.get("/").text
        assert f'href="/mails/{name}"' in listed
        assert SCRIPT not in listed
        shown = browser.get(f"/mails/{name}")
        assert "text part" in shown.text
        assert SCRIPT not in shown.text
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
        framed = browser.get(f"/mails/{name}/html")
        assert "<p>HTML part</p>" in framed.text
        assert framed.headers["Content-Security-Policy"].startswith("sandbox ")
        assert "allow-scripts" not in framed.headers["Content-Security-Policy"]
        source = browser.get(f"/mails/{name}/source")
        assert source.headers["Content-Type"].startswith("text/plain")
        assert browser.get("/mails/..%2fports.json").status_code == 404
        assert browser.get("/mails/1-1-1.eml").status_code == 404
