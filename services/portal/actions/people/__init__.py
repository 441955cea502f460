"""Accounts: signing in, passwords."""

from __future__ import annotations

from services.portal.actions.people import forgetting, issuing, passwords, signing

__all__ = ["forgetting", "issuing", "passwords", "signing"]
