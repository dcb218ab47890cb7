"""What clients of the embedded Stripe prove themselves with, derived from one secret: every process has the same."""

import hmac


def _derived(key: bytes, purpose: str) -> str:
    return hmac.digest(key, purpose.encode(), "sha256").hex()[:48]


def secret_key(key: bytes) -> str:
    return f"sk_test_{_derived(key, 'secret')}"


def publishable_key(key: bytes) -> str:
    return f"pk_test_{_derived(key, 'publishable')}"


def webhook_secret(key: bytes) -> str:
    return f"whsec_{_derived(key, 'webhook')}"
