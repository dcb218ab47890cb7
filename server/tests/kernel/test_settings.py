"""Settings: read once from the environment, refused in one sentence that names the setting and never quotes its value."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from unpuzzle_server.kernel.settings import Settings, SettingsError

KEY = "0123456789abcdef0123456789abcdef"


def test_without_an_environment_everything_has_its_documented_value() -> None:
    settings = Settings.from_environment({})
    assert (settings.rate_limit_anonymous, settings.rate_limit_authenticated) == (100, 1000)
    assert (settings.rate_limit_sign_in, settings.rate_limit_sign_up) == (10, 5)
    assert settings.cors_origins == ("https://app.unpuzzle.com",)
    assert settings.app_url == "https://app.unpuzzle.com"
    assert settings.trusted_proxies == ()
    assert settings.max_body_bytes == 1024 * 1024
    assert settings.instructor_auto_approve is True
    assert settings.database_prepared_statements is False


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("RATE_LIMIT_ANONYMOUS", "1", 1),
        ("RATE_LIMIT_ANONYMOUS", "007", 7),
        ("INSTRUCTOR_AUTO_APPROVE", "OFF", False),
        ("INSTRUCTOR_AUTO_APPROVE", "Yes", True),
        ("INSTRUCTOR_AUTO_APPROVE", "0", False),
        ("CORS_ORIGINS", " https://a.example , https://b.example,", ("https://a.example", "https://b.example")),
        ("CORS_ORIGINS", "http://localhost:3000,http://[::1]:3000", ("http://localhost:3000", "http://[::1]:3000")),
        ("CORS_ORIGINS", "", ()),
        ("PUBLIC_URL", "https://api.example/", "https://api.example"),
        ("DATABASE_URL", "postgres://u:p@h/d", "postgres://u:p@h/d"),
        ("REDIS_URL", "rediss://h:6380/1", "rediss://h:6380/1"),
        ("DATABASE_URL", "", ""),
        ("SECRET_KEY", KEY, KEY),
        ("ENVIRONMENT", "production", "production"),
        ("AI_PRICES", "gpt-4o=0.00001, m=2", {"gpt-4o": Decimal("0.00001"), "m": Decimal(2)}),
        ("AI_RETRIES", "0", 0),
    ],
)
def test_a_setting_is_read(name: str, text: str, value: Any) -> None:
    assert getattr(Settings.from_environment({name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("RATE_LIMIT_ANONYMOUS", "0", "RATE_LIMIT_ANONYMOUS takes a whole number, 1 or more."),
        ("RATE_LIMIT_ANONYMOUS", "-5", "RATE_LIMIT_ANONYMOUS takes a whole number, 1 or more."),
        ("RATE_LIMIT_ANONYMOUS", "1e3", "RATE_LIMIT_ANONYMOUS takes a whole number, 1 or more."),
        ("RATE_LIMIT_ANONYMOUS", "", "RATE_LIMIT_ANONYMOUS takes a whole number, 1 or more."),
        ("RATE_LIMIT_ANONYMOUS", " 5", "RATE_LIMIT_ANONYMOUS takes a whole number, 1 or more."),
        ("RATE_LIMIT_ANONYMOUS", "٣", "RATE_LIMIT_ANONYMOUS takes a whole number, 1 or more."),
        ("MAX_BODY_BYTES", "1023", "MAX_BODY_BYTES takes a whole number, 1024 or more."),
        ("INSTRUCTOR_AUTO_APPROVE", "maybe", "INSTRUCTOR_AUTO_APPROVE takes true or false."),
        ("INSTRUCTOR_AUTO_APPROVE", "", "INSTRUCTOR_AUTO_APPROVE takes true or false."),
        ("AI_PRICES", "gpt-4o", "AI_PRICES takes prices such as gpt-4o=0.00001, with commas."),
        ("AI_PRICES", "=1", "AI_PRICES takes prices such as gpt-4o=0.00001, with commas."),
        ("AI_PRICES", "m=-1", "AI_PRICES takes prices such as gpt-4o=0.00001, with commas."),
        ("AI_PRICES", "m=1e9", "AI_PRICES takes prices such as gpt-4o=0.00001, with commas."),
        ("AI_CONTEXT_TOKENS", "999", "AI_CONTEXT_TOKENS takes a whole number, 1000 or more."),
        ("ENVIRONMENT", "prod", "ENVIRONMENT takes development or staging or production."),
        ("LOG_FORMAT", "JSON", "LOG_FORMAT takes auto or json or text."),
        ("PUBLIC_URL", "api.example", "PUBLIC_URL takes a URL that starts with http:// or https://."),
        ("PUBLIC_URL", "ftp://api.example", "PUBLIC_URL takes a URL that starts with http:// or https://."),
        ("PUBLIC_URL", "https://", "PUBLIC_URL takes a URL that starts with http:// or https://."),
        ("DATABASE_URL", "mysql://u:p@h/d", "DATABASE_URL takes a URL that starts with postgresql:// or postgres://."),
        ("REDIS_URL", "localhost:6379", "REDIS_URL takes a URL that starts with redis:// or rediss://."),
        *(
            ("CORS_ORIGINS", origins, "CORS_ORIGINS takes origins such as https://app.unpuzzle.com, with commas.")
            for origins in (
                "*",
                "https://a.example,*",
                "https://*.example",
                "https://a.example/",
                "a.example",
                "null",
                "HTTPS://A.EXAMPLE",
            )
        ),
        ("SECRET_KEY", "short", "SECRET_KEY takes 32 characters or more."),
        ("SECRET_KEY", KEY[:31], "SECRET_KEY takes 32 characters or more."),
        ("B2_KEY_ID", "005", "B2_KEY_ID needs B2_APPLICATION_KEY and B2_BUCKET."),
        ("MEDIA_CHUNK_BYTES", "5242879", "MEDIA_CHUNK_BYTES takes a whole number, 5242880 or more."),
        ("MEDIA_MAX_BYTES", "52428800001", "MEDIA_MAX_BYTES takes no more than 10000 times MEDIA_CHUNK_BYTES."),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: text})
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "DATABASE_APP_URL", "CELERY_BROKER_URL", "REDIS_URL", "PUBLIC_URL", "SECRET_KEY", "LOG_LEVEL"]
)
@pytest.mark.parametrize("text", ["s3cr3t", "http://s3cr3t@[", "x://u:s3cr3t@h"])
def test_a_wrong_setting_is_never_quoted(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: text})
    assert str(refused.value).startswith(name)
    assert "s3cr3t" not in str(refused.value)


def test_what_is_not_a_setting_is_left_alone() -> None:
    assert Settings.from_environment({"PATH": "/bin", "secret_key": "short", "RATE_LIMIT": "x"}) == Settings.from_environment({})


def test_secrets_are_not_shown() -> None:
    secret = {
        "DATABASE_URL",
        "DATABASE_APP_URL",
        "DATABASE_LISTEN_URL",
        "DATABASE_WORKER_URL",
        "REDIS_URL",
        "CELERY_BROKER_URL",
        "SECRET_KEY",
        "SMTP_URL",
        "SUPABASE_ANON_KEY",
        "SUPABASE_JWT_SECRET",
        "AUTH_WEBHOOK_SECRETS",
        "OAUTH_PROVIDERS",
        "STRIPE_API_KEY",
        "STRIPE_WEBHOOK_SECRETS",
        "B2_APPLICATION_KEY",
        "OPENAI_API_KEY",
        "TRANSCRIPTION_API_KEY",
    }
    assert {item.name.upper() for item in fields(Settings) if not item.repr} == secret
    shown = repr(Settings(database_url="postgresql://u:s3cr3t@h", redis_url="redis://:s3cr3t@h", secret_key="s3cr3t" * 9))
    assert "s3cr3t" not in shown
    assert "rate_limit_anonymous=100" in shown


def test_moderation_needs_somebody_who_moderates() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"AI_MODERATION": "true"})
    assert str(refused.value) == "AI_MODERATION needs OPENAI_API_KEY."


def test_every_setting_says_what_it_is_about() -> None:
    assert all(item.metadata["about"] for item in fields(Settings))
