"""What is wrong with the settings of a bucket, told from how an S3 store answers."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from minio.error import InvalidResponseError, S3Error, ServerError

_REGION_TOLD = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")
_REGION_CODES = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError",
        "IllegalLocationConstraintException",
        "InvalidRegion",
        "PermanentRedirect",
        "TemporaryRedirect",
        "Redirect",
        "BadRequest",
    }
)
_MOVED = frozenset({301, 302, 303, 307, 308})


def find_region(error: S3Error) -> str | None:
    """The region that a store says requests have to be signed for; None if it speaks of none."""
    if error.code not in _REGION_CODES:
        return None
    told = error.response.headers.get("x-amz-bucket-region")
    found = _REGION_TOLD.search(error.response.data.decode("utf-8", "replace"))
    return told or (next(filter(None, found.groups())) if found else None)


_MOVED_ON = (
    "the bucket '{bucket}' is to be asked for at {told}, not at {at}: set COFFRE_S3_ENDPOINT, or"
    " COFFRE_S3_ADDRESSING"
)
_OTHER_CLOCK = (
    "the clock of this machine is not that of the store at {at}, which says {date}: set the one"
    " that is wrong"
)
_OTHER_REGION = "the store at {at} wants requests for another region: set COFFRE_S3_REGION"
_ADVICE = {
    "NoSuchBucket": "the bucket '{bucket}' does not exist at {at}: set COFFRE_S3_BUCKET, or make"
    " it",
    "InvalidAccessKeyId": "the access key is not known at {at}: set COFFRE_S3_ACCESS_KEY",
    "SignatureDoesNotMatch": "the secret key is not the access key's at {at}:"
    " set COFFRE_S3_SECRET_KEY",
    "AccessDenied": "the access key may not do this in the bucket '{bucket}' at {at}: give it the"
    " right, or set COFFRE_S3_BUCKET, COFFRE_S3_ACCESS_KEY and COFFRE_S3_SECRET_KEY",
    "RequestTimeTooSkewed": _OTHER_CLOCK,
    "RequestExpired": _OTHER_CLOCK,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "InvalidRegion": _OTHER_REGION,
    "PermanentRedirect": _MOVED_ON,
    "TemporaryRedirect": _MOVED_ON,
    "Redirect": _MOVED_ON,
}


def advise(failure: BaseException | None, endpoint: str, bucket: str) -> str:
    """Says what is wrong with the settings of the bucket; empty where nothing of them is.

    For logs and readiness: it names endpoint and bucket, and no secret.
    """
    address = urlsplit(endpoint)
    at = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
    if isinstance(failure, InvalidResponseError) and failure._code in _MOVED:
        return (
            f"what answers at {at} sends elsewhere ({failure._code}) and is no S3 store: set"
            " COFFRE_S3_ENDPOINT to the store's own address, https:// where it wants that"
        )
    if not isinstance(failure, S3Error):
        return ""
    if region := find_region(failure):
        return f"the store at {at} wants requests for the region '{region}': set COFFRE_S3_REGION"
    told = re.search(rb"<Endpoint>([A-Za-z0-9.:/-]+)</Endpoint>", failure.response.data)
    return _ADVICE.get(failure.code or "", "").format(
        at=at,
        bucket=bucket,
        date=failure.response.headers.get("date", "another time"),
        told=told[1].decode() if told else "another address",
    )


def find_refusal(failure: Exception, *, is_lasting: bool) -> str:
    """Says in what words a store refuses what it could take elsewhere; empty where it doesn't.

    is_lasting: it has been asked again. SeaweedFS without room has no better word than 500.
    """
    status, code = 0, ""
    if isinstance(failure, S3Error):
        status, code = failure.response.status, failure.code or ""
    elif isinstance(failure, ServerError):
        status = failure.status_code
    elif isinstance(failure, InvalidResponseError):
        status = failure._code  # the library tells it in no other way
    is_refused = status in {403, 507} or (status == 500 and is_lasting)
    return f"{status} {code}".strip() if is_refused else ""
