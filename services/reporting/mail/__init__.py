"""Mails: words and looks (`words`, `letters`), their form (`compose`), the way out (`smtp`)."""

from __future__ import annotations

from services.reporting.mail import causes, compose, letters, rendering, smtp

__all__ = ["causes", "compose", "letters", "rendering", "smtp"]
