"""The settings of a deployment, read from the environment once, at start."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OAUTH_VARIABLE = re.compile(
    r"OAUTH_([A-Z][A-Z0-9_]*?)_"
    r"(CLIENT_ID|CLIENT_SECRET|ISSUER|AUTHORIZE_URL|TOKEN_URL|USERINFO_URL|TEAM_ID|KEY_ID|PRIVATE_KEY)"
)
MOST_CHUNKS = 10_000
"""Of one file, at Backblaze."""
ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+", re.ASCII)


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what it takes."""


Environment = Mapping[str, str]


def oauth_variables(environment: Environment) -> dict[str, dict[str, str]]:
    """`OAUTH_GITHUB_CLIENT_ID` and its like, by provider."""
    found: dict[str, dict[str, str]] = {}
    for name, value in environment.items():
        if value and (match := OAUTH_VARIABLE.fullmatch(name)):
            provider, key = match[1].lower().replace("_", "-"), match[2].lower()
            found.setdefault(provider, {})[key] = value.replace("\\n", "\n")  # a PEM key on one line
    return found


def setting(default: str, parse: Callable[[str], Any], about: str, *, secret: bool = False) -> Any:
    metadata = {"parse": parse, "about": about}
    return field(default_factory=partial(parse, default), repr=not secret, metadata=metadata)


def family(read: Callable[[Environment], Any], variable: str, about: str) -> Any:
    """A setting of several variables, which are secrets among them."""
    return field(default_factory=dict, repr=False, metadata={"read": read, "variable": variable, "about": about})


def text(value: str) -> str:
    return value


def switch(value: str) -> bool:
    words = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
    if value.lower() not in words:
        raise ValueError("takes true or false")
    return words[value.lower()]


def at_least(minimum: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isascii() or not value.isdigit() or int(value) < minimum:
            raise ValueError(f"takes a whole number, {minimum} or more")
        return int(value)

    return parse


def percent(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 100:
        raise ValueError("takes a whole number from 1 to 100")
    return int(value)


def prices(value: str) -> dict[str, Decimal]:
    found = {}
    for part in names(value):
        model, _, price = part.rpartition("=")
        if not model or not re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,12})?", price, re.ASCII):
            raise ValueError("takes prices such as gpt-4o=0.00001, with commas")
        found[model] = Decimal(price)
    return found


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def font_files(value: str) -> tuple[str, ...]:
    found = names(value)
    if not all(Path(path).is_file() and Path(path).suffix in (".ttf", ".otf") for path in found):
        raise ValueError("takes paths of .ttf or .otf files, with commas")
    return found


def prices_of_plans(value: str) -> tuple[tuple[str, ...], ...]:
    found = re.findall(r"(\w+)=(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)(?:,|$)", value.replace(" ", ""))
    if {plan for plan, *_ in found} != {"premium", "enterprise"} or len(found) != len(names(value)):
        raise ValueError("takes premium=19/190,enterprise=99/990: what each costs a month and a year")
    return tuple(found)


def currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("takes three capital letters")
    return value


def webhook_secrets(value: str) -> tuple[str, ...]:
    """Supabase writes a comma into its own: `v1,whsec_…`."""
    found = tuple(part.strip() for part in re.findall(r"\s*v1,whsec_[^,]*|[^,]+", value) if part.strip())
    if any(len(secret) < 16 for secret in found):
        raise ValueError("takes secrets of 16 characters or more, with commas")
    return found


def origins(value: str) -> tuple[str, ...]:
    """Spelt as browsers send them. Not `*`: under cookies, any page could then act as its visitor."""
    found = names(value)
    if not all(ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError("takes origins such as https://app.unpuzzle.com, with commas")
    return found


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"takes {' or '.join(allowed)}")
        return value

    return parse


def url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value and (urlsplit(value).scheme not in schemes or not urlsplit(value).netloc):
            raise ValueError(f"takes a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value.rstrip("/")

    return parse


@dataclass(frozen=True)
class Settings:
    """Each field is the environment variable of the same name in capitals, or several of them."""

    database_url: str = setting("", url("postgresql", "postgres"), "PostgreSQL, as the role that owns the schema", secret=True)
    database_app_url: str = setting(
        "", url("postgresql", "postgres"), "the same as the role that serves requests; made if absent", secret=True
    )
    database_worker_url: str = setting(
        "",
        url("postgresql", "postgres"),
        "the same as the workers' role, not through PgBouncer; made if absent",
        secret=True,
    )
    database_listen_url: str = setting(
        "",
        url("postgresql", "postgres"),
        "the same as the role that serves requests, not through PgBouncer; DATABASE_APP_URL if absent",
        secret=True,
    )
    database_pool_size: int = setting("10", at_least(1), "connections per process")
    database_prepared_statements: bool = setting("false", switch, "off behind PgBouncer before 1.21")
    redis_url: str = setting("", url("redis", "rediss"), "counts rate limits in Redis instead of PostgreSQL", secret=True)
    celery_broker_url: str = setting(
        "", url("redis", "rediss", "amqp", "amqps"), "hands tasks to workers by Redis or AMQP instead of PostgreSQL", secret=True
    )
    task_lease_seconds: int = setting("20", at_least(1), "how soon another worker takes over from one that died")
    task_modules: tuple[str, ...] = setting("", names, "further modules with tasks, with commas")
    worker_concurrency: int = setting("4", at_least(1), "tasks at once in one worker")
    secret_key: str = setting("", text, "signs tokens; one for all machines, 32 characters or more", secret=True)
    public_url: str = setting("http://127.0.0.1:8000", url("http", "https"), "where clients reach this server")
    app_url: str = setting("https://app.unpuzzle.com", url("http", "https"), "where people reach the app")
    cors_origins: tuple[str, ...] = setting("https://app.unpuzzle.com", origins, "origins of browsers' pages, with commas")
    trusted_proxies: tuple[str, ...] = setting("", names, "addresses whose X-Forwarded-For counts, with commas")
    environment: str = setting(
        "staging", one_of("development", "staging", "production"), "production logs an answer that breaks the contract, else 500"
    )
    max_body_bytes: int = setting("1048576", at_least(1024), "the largest JSON body")
    rate_limit_anonymous: int = setting("100", at_least(1), "requests an hour per address")
    rate_limit_authenticated: int = setting("1000", at_least(1), "requests an hour per user")
    rate_limit_sign_in: int = setting("10", at_least(1), "sign-ins a minute per address and account")
    rate_limit_sign_up: int = setting("5", at_least(1), "sign-ups an hour per address")
    rate_limit_reset: int = setting("5", at_least(1), "mails with a link an hour per address")
    smtp_url: str = setting(
        "", url("smtp", "smtps"), "sends mail; without it the server keeps it for `unpuzzle-server outbox`", secret=True
    )
    mail_from: str = setting("no-reply@unpuzzle.com", text, "whom mail is from")
    confirm_email: bool = setting("false", switch, "lets nobody sign in before their address is confirmed")
    deletion_grace_days: int = setting("14", at_least(0), "how long a deleted account can be restored")
    auth_backend: str = setting("local", one_of("local", "supabase"), "who keeps accounts: this server, or Supabase Auth")
    supabase_url: str = setting("", url("http", "https"), "the project, such as https://abc.supabase.co")
    supabase_anon_key: str = setting("", text, "its publishable (anon) key", secret=True)
    supabase_jwt_secret: str = setting("", text, "its JWT secret, where it signs with HS256", secret=True)
    auth_webhook_secrets: tuple[str, ...] = setting(
        "", webhook_secrets, "what signs auth webhooks, plain or as v1,whsec_…, with commas", secret=True
    )
    oauth_providers: Mapping[str, Mapping[str, str]] = family(
        oauth_variables, "OAUTH_<PROVIDER>_CLIENT_ID", "and _CLIENT_SECRET: lets people sign in there; see docs/operating.md"
    )
    oauth_redirect_urls: tuple[str, ...] = setting("", names, "the app's pages to come back to; else APP_URL/auth/callback")
    oauth_sandbox: bool = setting("false", switch, "plays every provider itself, for staging")
    stripe_api_key: str = setting("", text, "takes payments by Stripe; without it the server plays Stripe itself", secret=True)
    stripe_publishable_key: str = setting("", text, "what pages and apps speak to Stripe with")
    stripe_api_base: str = setting("", url("http", "https"), "where Stripe's API is; its own if absent")
    stripe_webhook_secrets: tuple[str, ...] = setting("", names, "what signs Stripe's webhooks, with commas", secret=True)
    openai_api_key: str = setting("", text, "has a language model answer; without it the tutor finds and quotes", secret=True)
    openai_base_url: str = setting("", url("http", "https"), "where it is, for whatever speaks as OpenAI does; its own if absent")
    ai_model: str = setting("gpt-4o", text, "which model answers")
    ai_prices: Mapping[str, Decimal] = setting("", prices, "US dollars a token by model, such as gpt-4o=0.00001; else 0.00003")
    ai_timeout_seconds: int = setting("60", at_least(1), "how long one attempt at the model may take")
    ai_retries: int = setting("2", at_least(0), "how often it is tried again")
    ai_context_tokens: int = setting("16000", at_least(1000), "the model's window: how many tokens it is given")
    ai_answer_tokens: int = setting("1500", at_least(50), "how many tokens it may write")
    ai_moderation: bool = setting("false", switch, "has OpenAI's moderation look at what is asked first")
    plan_prices: tuple[tuple[str, str, str], ...] = setting(
        "premium=19/190,enterprise=99/990", prices_of_plans, "what plans cost a month and a year, with commas"
    )
    plan_currency: str = setting("USD", currency, "the currency of that")
    trial_days: int = setting("14", at_least(0), "how long a plan can be tried; 0 for no trials")
    document_fonts: tuple[str, ...] = setting(
        "", font_files, "TrueType files for scripts that ours lack, such as CJK, with commas"
    )
    media_dir: str = setting("", text, "where files are kept without B2; `media` in the data directory if absent")
    media_cdn_url: str = setting("", url("http", "https"), "a CDN in front of this server's files, or of B2's")
    media_max_bytes: int = setting(str(5 * 2**30), at_least(1), "the largest file")
    media_chunk_bytes: int = setting(str(5 * 2**20), at_least(5 * 2**20), "the parts that files come in; B2 takes none smaller")
    media_quota_bytes: int = setting(str(500 * 2**30), at_least(1), "what one instructor's files may come to")
    media_student_quota_bytes: int = setting(str(100 * 2**20), at_least(1), "the same for those who do not teach")
    media_upload_hours: int = setting("24", at_least(1), "how long an upload may rest before it is given up")
    b2_key_id: str = setting("", text, "keeps files at Backblaze B2: the id of an application key")
    b2_application_key: str = setting("", text, "that key", secret=True)
    b2_bucket: str = setting("", text, "the bucket, which should be private")
    b2_realm: str = setting("production", text, "where B2 is, if not at Backblaze: the URL of something that speaks its API")
    transcription_api_key: str = setting("", text, "has lessons heard and written down; OPENAI_API_KEY if absent", secret=True)
    transcription_base_url: str = setting("", url("http", "https"), "where, if not at OPENAI_BASE_URL")
    transcription_model: str = setting("whisper-1", text, "which model hears; one that tells the times of what is said")
    playback_url_minutes: int = setting("240", at_least(1), "how long the address of a lesson's file is good")
    video_completion_percent: int = setting("90", percent, "how much of a video completes it")
    instructor_auto_approve: bool = setting("true", switch, "approves applications to teach at once")
    password_memory_kib: int = setting("19456", at_least(8), "Argon2id's memory")
    password_passes: int = setting("2", at_least(1), "Argon2id's passes")
    log_format: str = setting("auto", one_of("auto", "json", "text"), "how logs are written: text on a terminal, else JSON")
    log_level: str = setting("info", one_of("debug", "info", "warning", "error"), "what is logged")

    @classmethod
    def from_environment(cls, environment: Environment = os.environ) -> "Settings":
        """Raises SettingsError with one sentence on the first setting that is wrong."""
        values = {}
        for item in fields(cls):
            given = environment.get(item.name.upper())
            if "read" in item.metadata:
                values[item.name] = item.metadata["read"](environment)
            elif given is not None:
                values[item.name] = _parsed(item.name, given, item.metadata["parse"])
        settings = cls(**values)
        if settings.secret_key and len(settings.secret_key) < 32:
            raise SettingsError("SECRET_KEY takes 32 characters or more.")
        if settings.ai_moderation and not settings.openai_api_key:
            raise SettingsError("AI_MODERATION needs OPENAI_API_KEY.")
        if settings.auth_backend == "supabase" and not (settings.supabase_url and settings.supabase_anon_key):
            raise SettingsError("AUTH_BACKEND=supabase needs SUPABASE_URL and SUPABASE_ANON_KEY.")
        if settings.b2_key_id and not (settings.b2_application_key and settings.b2_bucket):
            raise SettingsError("B2_KEY_ID needs B2_APPLICATION_KEY and B2_BUCKET.")
        if settings.media_max_bytes > MOST_CHUNKS * settings.media_chunk_bytes:
            raise SettingsError(f"MEDIA_MAX_BYTES takes no more than {MOST_CHUNKS} times MEDIA_CHUNK_BYTES.")
        return settings


def _parsed(name: str, value: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        # The value may be a secret (a password in a URL), so the sentence does not quote it.
        raise SettingsError(f"{name.upper()} {error}.") from None
