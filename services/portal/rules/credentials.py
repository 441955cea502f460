"""How what somebody is signed in with is told apart."""

from __future__ import annotations

# In this order: most browsers call themselves by the names of others as well.
_PROGRAMS = (
    ("coffre-agent", "coffre-agent"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> str:
    """A browser by names that people know, such as `Firefox, Windows`; "" for one unheard of."""
    found = [
        next((name for mark, name in names if mark in user_agent), "")
        for names in (_PROGRAMS, _SYSTEMS)
    ]
    return ", ".join(filter(None, found))
