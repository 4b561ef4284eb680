"""Signing notices as Standard Webhooks says: github.com/standard-webhooks/standard-webhooks, "Signature scheme"."""

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for: the bytes of whsec_<base64>, else those of the text itself.

    Raises:
        ValueError: it is too short, too long, or no base64 behind whsec_. The message holds nothing of the secret.
    """
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"must be base64 behind {PREFIX}") from None
    else:
        key = secret.encode()
    if not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"must stand for {FEWEST_BYTES} to {MOST_BYTES} bytes")
    return key


def headers(key: bytes, *, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers by which a receiver tells that a message is ours, unchanged and new."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{signature}",
    }
