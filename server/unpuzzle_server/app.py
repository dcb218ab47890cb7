"""The composition root: settings → gateways → kernel → the Connexion app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from connexion import ConnexionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.security import SecurityMiddleware
from connexion.spec import OpenAPISpecification
from starlette.types import ASGIApp, Receive, Scope, Send

from unpuzzle_server.ai.engine import Engine
from unpuzzle_server.ai.extractive import Extractive
from unpuzzle_server.ai.openai import OpenAI
from unpuzzle_server.ai.tutor import USUAL_PRICE, Tutor
from unpuzzle_server.auth.oauth.providers import Registration, played_by, registrations
from unpuzzle_server.auth.oauth.service import OAuth
from unpuzzle_server.auth.passwords import Passwords
from unpuzzle_server.auth.recovery import Recovery
from unpuzzle_server.auth.service import Accounts
from unpuzzle_server.auth.tokens import Cookies, TokenIssuer, derived_key
from unpuzzle_server.embedded_stripe import app as embedded_stripe
from unpuzzle_server.kernel import logs, spec, tasks
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database
from unpuzzle_server.kernel.http import Beside, Boundary, CrossOrigin, Edge
from unpuzzle_server.kernel.listening import Listener
from unpuzzle_server.kernel.operations import Kernel, Operations, check_bindings, handler_of
from unpuzzle_server.kernel.ratelimit import Counters, PostgresCounters, RateLimiter, RedisCounters
from unpuzzle_server.kernel.routing import Routing
from unpuzzle_server.kernel.security import Gate, security_map
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.mail.gateway import mailer
from unpuzzle_server.media.embedded_store import EmbeddedStore
from unpuzzle_server.media.gateway import Addresses, Media
from unpuzzle_server.media.storage import Storage
from unpuzzle_server.media.transcription import Transcriber
from unpuzzle_server.oauth_sandbox import app as oauth_sandbox
from unpuzzle_server.oauth_sandbox import keys as sandbox_keys
from unpuzzle_server.payments.stripe import Stripe
from unpuzzle_server.subscriptions.tasks import follow_event, follow_refund
from unpuzzle_server.system.reference import Reference

CORS_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CORS_HEADERS = [
    "Authorization", "Content-Type", "X-API-Version", "X-Request-ID", "X-Client-Version", "X-CSRF-Token", "Idempotency-Key",
    "If-Match", "If-None-Match", "Prefer", "Last-Event-ID", "X-Part-Number", "Content-Range",
    "X-Bz-Content-Sha1", "X-Bz-File-Name", "Range", "If-Range",
]  # fmt: skip
CORS_EXPOSED = [
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After", "X-Request-ID", "ETag",
    "Location", "Retry-After", "X-Should-Retry", "Idempotency-Replayed", "Preference-Applied", "Deprecation", "Sunset", "Link",
    "Content-Disposition", "Content-Range", "Accept-Ranges",
]  # fmt: skip

STRIPE = "https://api.stripe.com"

# Connexion holds the contract against OpenAPI's own schema at each start, for half a second; a test has done so before.
OpenAPISpecification.openapi_schema = {}


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ASGIApp:
    """The server as an ASGI app; without arguments as `uvicorn --factory` starts it, from the environment."""
    settings = settings or Settings.from_environment()
    logs.configure(settings)
    check_bindings()
    tasks.load(settings.task_modules)
    kernel = wire(settings, clock or Clock())
    accounts: Accounts = kernel.gateways["accounts"]

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await kernel.close()

    api = ConnexionMiddleware(
        nothing_behind,
        lifespan=lifespan,
        middlewares=[LifespanMiddleware, Routing, SecurityMiddleware, Operations],
    )
    api.add_api(
        spec.document(),
        base_path="",
        resolver=handler_of,
        security_map=security_map(accounts.authenticate),
        kernel=kernel,
    )
    guarded = CrossOrigin(
        Boundary(Reference(beside(api, kernel)), kernel.clock),
        kernel.clock,
        allow_origins=settings.cors_origins,
        allow_methods=CORS_METHODS,
        allow_headers=CORS_HEADERS,
        expose_headers=CORS_EXPOSED,
        allow_credentials=True,
    )
    return Edge(guarded)


def wire(settings: Settings, clock: Clock) -> Kernel:
    """Everything that operations stand on."""
    database = Database(settings, clock)
    counters: Counters = RedisCounters(settings.redis_url, clock) if settings.redis_url else PostgresCounters(database, clock)
    issuer = TokenIssuer(derived_key(settings.secret_key, "access-token"), clock)
    passwords = Passwords(settings)
    accounts = Accounts(database, passwords, issuer, Cookies(settings.public_url), settings.confirm_email)
    signing_in = at_supabase if settings.auth_backend == "supabase" else here
    gateways = {
        **signing_in(accounts, settings, clock),
        **taking_payments(settings, database, clock),
        "mailer": mailer(settings, database),
        "transcriber": Transcriber.of(settings),
        "media": keeping_files(settings),
        "tutor": tutoring(settings),
        "listener": Listener(settings.database_listen_url or settings.database_app_url, "unpuzzle_notifications"),
    }
    return Kernel(
        settings=settings,
        clock=clock,
        database=database,
        limiter=RateLimiter(counters, settings, clock),
        gate=Gate(derived_key(settings.secret_key, "csrf")),
        gateways=gateways,
    )


def here(accounts: Accounts, settings: Settings, clock: Clock) -> dict[str, Any]:
    """What signs people in where this server keeps the accounts."""
    oauth = OAuth.of(accounts, registered(settings), settings, derived_key(settings.secret_key, "oauth"), clock)
    return {"accounts": accounts, "oauth": oauth, "recovery": Recovery(accounts.database, accounts.passwords)}


def at_supabase(plain: Accounts, settings: Settings, clock: Clock) -> dict[str, Any]:
    """The same where Supabase Auth keeps them; imported late, for its client takes a quarter of a second."""
    from unpuzzle_server.auth.supabase import accounts, gateway, tokens

    supabase = gateway.Supabase(settings.supabase_url, settings.supabase_anon_key)
    verifier = tokens.Tokens(settings.supabase_url, settings.supabase_jwt_secret, clock)
    users = accounts.SupabaseAccounts(**vars(plain), supabase=supabase, tokens=verifier)
    oauth = accounts.SupabaseOAuth.by_way_of(users, settings, derived_key(settings.secret_key, "oauth"))
    recovery = accounts.SupabaseRecovery(plain.database, supabase, settings.app_url)
    return {"accounts": users, "oauth": oauth, "recovery": recovery}


FOLLOWING = {"follow_subscription": follow_event, "follow_refund": follow_refund}
"""What payments ask of subscriptions."""


def taking_payments(settings: Settings, database: Database, clock: Clock) -> dict[str, Any]:
    """Stripe, or where there is no account there the embedded one, reached by the same client over the same HTTP."""
    if settings.stripe_api_key:
        base, secrets = settings.stripe_api_base, settings.stripe_webhook_secrets
        publishable = settings.stripe_publishable_key or None
        client = Stripe(settings.stripe_api_key, base, publishable, base or STRIPE, secrets, is_embedded=False)
        return {"stripe": client, **FOLLOWING}
    public_base = settings.public_url + embedded_stripe.PREFIX
    base = settings.stripe_api_base or public_base
    webhook = base.removesuffix(embedded_stripe.PREFIX) + "/api/v1/payments/webhooks/stripe/"
    key = derived_key(settings.secret_key, "embedded-stripe")
    played = embedded_stripe.EmbeddedStripe(public_base, key, database, clock, webhook)
    client = Stripe(played.secret_key, base, played.publishable_key, public_base, (played.webhook_secret,), is_embedded=True)
    return {"stripe": client, "embedded_stripe": played, **FOLLOWING}


def keeping_files(settings: Settings) -> Media:
    """Files at Backblaze B2, or where there is no key for it on this machine's disk."""
    storage = at_backblaze(settings) if settings.b2_key_id else EmbeddedStore(Path(settings.media_dir or "media"))
    return Media(storage, Addresses.of(settings))


def at_backblaze(settings: Settings) -> Storage:
    """Imported late, for its client takes a quarter of a second."""
    from unpuzzle_server.media.b2 import B2

    return B2.of(settings)


def tutoring(settings: Settings) -> Tutor:
    """The tutor by a language model, or where there is none the one that finds and quotes."""
    engine: Engine = Extractive()
    if settings.openai_api_key:
        engine = OpenAI(
            settings.openai_api_key,
            settings.openai_base_url,
            settings.ai_model,
            settings.ai_timeout_seconds,
            settings.ai_retries,
            settings.ai_context_tokens,
            settings.ai_answer_tokens,
        )
    price = settings.ai_prices.get(engine.model, USUAL_PRICE)
    lease = timedelta(seconds=settings.ai_timeout_seconds * (settings.ai_retries + 1) + 60)
    return Tutor(engine, price, settings.ai_context_tokens, lease, moderated=settings.ai_moderation)


def beside(api: ASGIApp, kernel: Kernel) -> ASGIApp:
    """The API, with what else the settings have this server play."""
    settings, apps = kernel.settings, {}
    if played := kernel.gateways.get("embedded_stripe"):
        apps[embedded_stripe.PREFIX] = played
    if settings.oauth_sandbox:
        key = derived_key(settings.secret_key, "oauth-sandbox")
        url = settings.public_url + oauth_sandbox.PREFIX
        apps[oauth_sandbox.PREFIX] = oauth_sandbox.Sandbox(url, key, kernel.database, kernel.clock)
    return Beside(apps, api) if apps else api


def registered(settings: Settings) -> dict[str, Registration]:
    """The providers that people can sign in with."""
    if not settings.oauth_sandbox:
        return registrations(settings.oauth_providers)
    url = settings.public_url + oauth_sandbox.PREFIX
    return played_by(url, partial(sandbox_keys.credentials, derived_key(settings.secret_key, "oauth-sandbox")))


async def nothing_behind(scope: Scope, receive: Receive, send: Send) -> None:
    """Where Connexion would hand a request on that none of its operations took; routing has refused it before."""
    raise AssertionError("every operation answers for itself")
