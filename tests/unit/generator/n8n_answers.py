"""What n8n answers while it starts, byte for byte (2.41.1)."""

import json

MIGRATING = b"n8n is starting up. Please wait"
NO_DATABASE = b'{"code":503,"message":"Database is not ready!"}'


def no_route(path: str) -> bytes:
    """Return Express's own page about a path it does not know yet."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>Cannot POST {path}</pre>
</body>
</html>
""".encode()


def not_registered(path: str) -> bytes:
    """Return what n8n says of a webhook whose workflow is not registered yet, or not active."""
    message = f'The requested webhook "POST {path}" is not registered.'
    return json.dumps({"code": 404, "message": message, "hint": "The workflow must be active."}).encode()
