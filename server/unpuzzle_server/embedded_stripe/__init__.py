"""The embedded Stripe: the part of Stripe's HTTP API that payments need, in every server, with no account and no money.

It keeps state in PostgreSQL, refuses what Stripe refuses, asks for 3-D Secure and sends signed events. Its answers say what it
is: `Stripe-Embedded: unpuzzle`, and `livemode` is false everywhere.
"""
