"""All that people do with the portal and that the access log keeps: a closed list.

An act's code names its sentence as well; its fields are what that sentence is made of, and all
that is kept beside who, when and from where. What is typed at a sign-in is never a field: it may
be a password in the wrong place.
"""

from __future__ import annotations

from services.portal.rules.log.acts.accounts import *
from services.portal.rules.log.acts.base import *
from services.portal.rules.log.acts.clients import *
from services.portal.rules.log.acts.destruction import *
from services.portal.rules.log.acts.files import *
from services.portal.rules.log.acts.incidents import *
from services.portal.rules.log.acts.notices import *
from services.portal.rules.log.acts.operators import *
from services.portal.rules.log.acts.orders import *
from services.portal.rules.log.acts.parked import *
from services.portal.rules.log.acts.recipients import *
from services.portal.rules.log.acts.volume import *
