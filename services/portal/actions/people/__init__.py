"""Accounts: signing in, passwords."""

from __future__ import annotations

from services.portal.actions.people import passwords, signing

__all__ = ["passwords", "signing"]
