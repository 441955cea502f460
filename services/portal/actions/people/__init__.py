"""Accounts: signing in, passwords."""

from __future__ import annotations

from services.portal.actions.people import issuing, passwords, signing

__all__ = ["issuing", "passwords", "signing"]
