"""Plans and runs: as events tell them, and as they are shown."""

from __future__ import annotations

<<<<<<< HEAD
from services.portal.store.runs import changes, dropped, holds, received, shown, strips

__all__ = ["changes", "dropped", "holds", "received", "shown", "strips"]
=======
from services.portal.store.runs import changes, dropped, points, received, shown, strips

__all__ = ["changes", "dropped", "points", "received", "shown", "strips"]
>>>>>>> files
