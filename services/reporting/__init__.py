"""Reporting: the mails, their queue, and what is usual for a plan."""
