"""Second factors: set up, checked at a sign-in, taken away."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pyotp
import webauthn
from webauthn.helpers import exceptions
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from libs.shared import clock, errors, keys
from libs.shared.database import Connection, Pool, transaction
from services.portal import store
from services.portal.actions import guesses, log
from services.portal.rules import factors, people
from services.portal.rules.factors import Factors, Passkey, PasskeyRefused, WrongCode
from services.portal.rules.guesses import SECOND, Lane
from services.portal.rules.log import acts
from services.portal.rules.people import Person, TooManyTries

# cbor2 and json say no in ways of their own about what a stranger made up.
_REFUSED = (exceptions.WebAuthnException, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class FactorSetup:
    """An app's secret while it is set up: as text, and as the address that its QR code says."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


async def find(pool: Pool, person: Person) -> Factors:
    """All that somebody has."""
    async with transaction(pool) as conn:
        return await store.factors.find(conn, person.user_id)


async def begin_totp(
    pool: Pool, mail_key: bytes, person: Person, issuer: str
) -> FactorSetup | None:
    """Makes a secret for an app, which counts once a code of it was typed; None where one does."""
    secret = pyotp.random_base32()
    sealed = keys.seal_text(mail_key, secret, factors.seal_context(person.user_id))
    async with transaction(pool) as conn:
        is_new = await store.factors.put_totp(conn, person.user_id, sealed)
    return _enrol(secret, person, issuer) if is_new else None


async def find_enrolment(
    pool: Pool, mail_key: bytes, person: Person, issuer: str
) -> FactorSetup | None:
    """The secret of an app that is being set up: once it is, nobody reads it any more."""
    async with transaction(pool) as conn:
        totp = await store.factors.lock_totp(conn, person.user_id)
    if totp is None or totp.is_confirmed:
        return None
    context = factors.seal_context(person.user_id)
    return _enrol(keys.open_text(mail_key, totp.sealed_secret, context), person, issuer)


def _enrol(secret: str, person: Person, issuer: str) -> FactorSetup:
    address = pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=issuer)
    return FactorSetup(secret, address)


async def confirm_totp(
    pool: Pool, mail_key: bytes, person: Person, address: str, token: str, code: str
) -> list[str]:
    """Takes the first code of an app: it counts from now on; token: the session that types it.

    Returns new recovery codes where there were none; raises WrongCode, TooManyTries."""
    lane = await _count(pool, person)
    async with transaction(pool) as conn:
        typed = factors.normalise(code)
        if not await _take_totp(conn, mail_key, person.user_id, typed, is_confirmed=False):
            raise WrongCode
        await store.guesses.take_back(conn, lane.subject)
        act = acts.SecondFactorAdded("totp", "")
        return await _added(conn, person, address, token, act)


async def _added(
    conn: Connection, person: Person, address: str, token: str, act: acts.SecondFactorAdded
) -> list[str]:
    """What follows from a factor more: codes on paper, and the rest of the portal is open to it."""
    codes = []
    if not (await store.factors.find(conn, person.user_id)).recovery_codes:
        codes = await _make_codes(conn, person)
    await store.credentials.promote(conn, person.user_id, people.token_sha256(token))
    await log.note(conn, person.at(address), act)
    return codes


async def make_codes(pool: Pool, person: Person, address: str) -> list[str]:
    """New codes on paper, shown this once, in the place of all that were there."""
    async with transaction(pool) as conn:
        codes = await _make_codes(conn, person)
        await log.note(conn, person.at(address), acts.RecoveryCodesMade())
    return codes


async def _make_codes(conn: Connection, person: Person) -> list[str]:
    codes = factors.new_recovery_codes()
    digests = [factors.code_sha256(person.user_id, code) for code in codes]
    await store.factors.put_codes(conn, person.user_id, digests)
    return [factors.show_code(code) for code in codes]


async def remove(
    pool: Pool, person: Person, address: str, passkey_id: UUID | None, *, is_needed: bool
) -> bool:
    """Takes an app away, or a passkey; False where it was gone.

    is_needed: an operator keeps the last one; raises EnrolFirst for that."""
    async with transaction(pool) as conn:
        if not await store.people.lock_self(conn, person.user_id):
            raise errors.Unauthenticated
        if passkey_id is None:
            act = acts.SecondFactorRemoved("totp", "")
            is_gone = await store.factors.drop_totp(conn, person.user_id)
        else:
            label = await store.factors.drop_passkey(conn, person.user_id, passkey_id)
            act = acts.SecondFactorRemoved("passkey", label or "")
            is_gone = label is not None
        left = await store.factors.find(conn, person.user_id)
        if is_needed and not left.is_any:
            raise factors.EnrolFirst
        if not left.is_any:
            await store.factors.drop_codes(conn, person.user_id)
        if is_gone:
            await log.note(conn, person.at(address), act)
    return is_gone


async def ask_for_passkey(
    pool: Pool, portal_url: str, name: str, person: Person, token: str
) -> dict[str, Any]:
    """What a browser is to make a new passkey from; token: the session that asks."""
    async with transaction(pool) as conn:
        known = await store.factors.list_passkeys(conn, person.user_id)
        options = webauthn.generate_registration_options(
            rp_id=_host(portal_url),
            rp_name=name,
            user_id=person.user_id.bytes,
            user_name=person.email,
            user_display_name=person.name,
            exclude_credentials=[PublicKeyCredentialDescriptor(one.key_id) for one in known],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
        )
        digest = people.token_sha256(token)
        await store.credentials.put_challenge(conn, digest, options.challenge)
    return dict(json.loads(webauthn.options_to_json(options)))


async def add_passkey(
    pool: Pool,
    portal_url: str,
    person: Person,
    address: str,
    token: str,
    label: str,
    answer: str,
) -> list[str]:
    """Keeps a passkey that a browser made; recovery codes as `confirm_totp`.

    Raises PasskeyRefused."""
    async with transaction(pool) as conn:
        challenge = await store.credentials.take_challenge(conn, people.token_sha256(token))
    if challenge is None:
        raise PasskeyRefused
    try:
        verified = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_host(portal_url),
            expected_origin=portal_url,
        )
    except _REFUSED as error:
        raise PasskeyRefused from error
    passkey = Passkey(
        verified.credential_id,
        uuid4(),
        verified.credential_public_key,
        verified.sign_count,
        label,
        clock.now(),
        None,
    )
    async with transaction(pool) as conn:
        if not await store.people.lock_self(conn, person.user_id):
            raise errors.Unauthenticated
        known = await store.factors.list_passkeys(conn, person.user_id)
        if len(known) >= factors.MOST_PASSKEYS:
            raise PasskeyRefused
        if not await store.factors.add_passkey(conn, person.user_id, passkey):
            raise PasskeyRefused
        act = acts.SecondFactorAdded("passkey", label)
        return await _added(conn, person, address, token, act)


async def ask_passkeys(
    pool: Pool, portal_url: str, person: Person, token: str
) -> dict[str, Any] | None:
    """What a browser is to sign by a passkey; None where there is none."""
    async with transaction(pool) as conn:
        known = await store.factors.list_passkeys(conn, person.user_id)
        if not known:
            return None
        options = webauthn.generate_authentication_options(
            rp_id=_host(portal_url),
            allow_credentials=[PublicKeyCredentialDescriptor(one.key_id) for one in known],
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        digest = people.token_sha256(token)
        await store.credentials.put_challenge(conn, digest, options.challenge)
    return dict(json.loads(webauthn.options_to_json(options)))


async def check_code(pool: Pool, mail_key: bytes, person: Person, address: str, typed: str) -> None:
    """Takes a code of somebody's app, or one on paper; raises WrongCode, TooManyTries.

    Each is good once, also where two try it at the same moment."""
    lane = await _count(pool, person)
    code = factors.normalise(typed)
    async with transaction(pool) as conn:
        if factors.is_totp(code):
            right = await _take_totp(conn, mail_key, person.user_id, code)
        else:
            digest = factors.code_sha256(person.user_id, code)
            right = await store.factors.use_code(conn, person.user_id, digest)
        if right:
            await store.guesses.take_back(conn, lane.subject)
        if not right:
            refused = acts.SignInRefused("second-factor-wrong")
            await log.note(conn, person.at(address), refused)
        elif not factors.is_totp(code):
            left = (await store.factors.find(conn, person.user_id)).recovery_codes
            await log.note(conn, person.at(address), acts.RecoveryCodeUsed(left))
    if not right:
        raise WrongCode


async def check_passkey(
    pool: Pool, portal_url: str, person: Person, address: str, token: str, answer: str
) -> None:
    """Takes what a passkey signed; raises WrongCode."""
    async with transaction(pool) as conn:
        challenge = await store.credentials.take_challenge(conn, people.token_sha256(token))
        known = {one.key_id: one for one in await store.factors.list_passkeys(conn, person.user_id)}
    signed = _verify(portal_url, answer, challenge, known) if challenge else None
    async with transaction(pool) as conn:
        if signed is None:
            refused = acts.SignInRefused("second-factor-wrong")
            await log.note(conn, person.at(address), refused)
        else:
            await store.factors.note_use(conn, *signed, clock.now())
    if signed is None:
        raise WrongCode


def _verify(
    portal_url: str, answer: str, challenge: bytes, known: dict[bytes, Passkey]
) -> tuple[bytes, int] | None:
    """Which passkey signed, and its new count; None where none of these did."""
    try:
        key_id = webauthn.base64url_to_bytes(json.loads(answer)["rawId"])
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_host(portal_url),
            expected_origin=portal_url,
            credential_public_key=known[key_id].public_key,
            credential_current_sign_count=known[key_id].sign_count,
        )
    except _REFUSED:
        return None
    return key_id, verified.new_sign_count


async def _take_totp(
    conn: Connection, mail_key: bytes, user_id: UUID, code: str, *, is_confirmed: bool = True
) -> bool:
    totp = await store.factors.lock_totp(conn, user_id)
    if totp is None or totp.is_confirmed != is_confirmed:
        return False
    secret = keys.open_text(mail_key, totp.sealed_secret, factors.seal_context(user_id))
    now = clock.now()
    step = factors.find_step(secret, code, now, totp.last_step)
    if step is None:
        return False
    await store.factors.put_step(conn, user_id, step, now)
    return True


async def _count(pool: Pool, person: Person) -> Lane:
    """Counts a guess before it is looked at; raises TooManyTries."""
    lane = Lane(SECOND, SECOND.subject(str(person.user_id)))
    async with transaction(pool) as conn:
        wait = await guesses.count_one(conn, lane)
    if wait:
        raise TooManyTries(math.ceil(wait.total_seconds()))
    return lane


def _host(portal_url: str) -> str:
    return urlsplit(portal_url).hostname or ""
