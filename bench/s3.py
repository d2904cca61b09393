"""Requests of S3, signed in their query: a signature that is made beforehand costs the client nothing."""

import datetime
import hashlib
import hmac
import urllib.parse

SECONDS = 7 * 86_400


def presigned(method, host, path, region, key, secret):
    """Path and query of a request that anyone can send for a week; its body is not signed."""
    now = datetime.datetime.now(datetime.timezone.utc)
    day, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{region}/s3/aws4_request"
    query = urllib.parse.urlencode({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": SECONDS,
        "X-Amz-SignedHeaders": "host",
    })
    canonical = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    step = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        step = hmac.digest(step, part.encode(), "sha256")
    signature = hmac.digest(step, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}".encode(), "sha256")
    return f"{path}?{query}&X-Amz-Signature={signature.hex()}"
