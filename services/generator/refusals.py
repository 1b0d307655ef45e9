"""What n8n says when it took nothing: an answer that no run of a workflow can have given.

Its port answers early. In the order of its start (n8n 2.41.1, `abstract-server.js`): before it has its routes, 404 with
Express's own page; while its database is not there, 503; while that is migrated, 200 with one sentence, whatever is
asked; before a workflow is registered, and where it is not active, 404 with a sentence about its webhook. A workflow
may answer with any status, and with words of its users or of a service that it asked: so only the whole counts. No
status says it alone: who stands before n8n answers 503, too, where the connection broke after the call got through.
"""

import json
import re

_MIGRATING = b"n8n is starting up. Please wait"
_NO_ROUTE = re.compile(
    rb'<!DOCTYPE html>\s*<html lang="en">\s*<head>\s*<meta charset="utf-8">\s*<title>Error</title>\s*</head>\s*'
    rb"<body>\s*<pre>Cannot POST (?P<path>/[^<\s]*)</pre>\s*</body>\s*</html>"
)
_NOT_REGISTERED = re.compile(r'The requested webhook "POST [^"]*" is not registered\.')
_ROUTES = ("/webhook/", "/api/v1/")


def took_nothing(status: int, body: bytes, path: str) -> bool:
    """Return whether this answer to a POST at `path` says that nothing was started, and that asking again may help."""
    if status == 200:
        return body.strip() == _MIGRATING
    if status == 503:
        return _has_no_database(body)
    return status == 404 and (_knows_no(path, body.strip()) or _is_not_registered(body))


def _knows_no(path: str, page: bytes) -> bool:
    """Return whether this is Express's page about that very path, which a proxy may have shortened at its beginning."""
    found = _NO_ROUTE.fullmatch(page)
    if found is None:
        return False
    told = found["path"].decode("latin-1")
    return told == path or (path.endswith(told) and told.startswith(_ROUTES))


def _has_no_database(body: bytes) -> bool:
    return _said(body) == {"code": 503, "message": "Database is not ready!"}


def _is_not_registered(body: bytes) -> bool:
    message = _said(body).get("message")
    return isinstance(message, str) and _NOT_REGISTERED.fullmatch(message) is not None


def _said(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
