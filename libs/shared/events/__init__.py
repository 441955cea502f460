"""Every event that services exchange: frozen models, past tense, versioned.

An event carries what its readers need and no more.
Order is never assumed: models that replace an earlier state carry a `version` or `sequence`
of their producer, and a reader keeps the newer.
"""

from __future__ import annotations

from libs.shared.events.base import *
from libs.shared.events.clients import *
from libs.shared.events.destruction import *
from libs.shared.events.incidents import *
from libs.shared.events.keeping import *
from libs.shared.events.notices import *
from libs.shared.events.parked import *
from libs.shared.events.reports import *
from libs.shared.events.runs import *
from libs.shared.events.volume import *
