"""Mails: words and looks (`words`, `letters`), their form (`compose`), the way out (`smtp`)."""
