"""Every setting, from the environment; safe by default: without one, production refuses to start."""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

BASE_DIR = Path(__file__).resolve().parent.parent
DEVELOPMENT_SECRET = "development-only-never-in-production"  # noqa: S105 refused below unless DEBUG

env = environ.Env()

# Who we are -----------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_SECRET if DEBUG else "")
# The first key signs customer tokens, all of them verify: put a new one in front to rotate.
TOKEN_KEYS = env.list("TOKEN_KEYS", default=[SECRET_KEY])
DEMO = env.bool("DEMO", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

SHORTEST_SECRET = 32
if len(SECRET_KEY) < SHORTEST_SECRET or (not DEBUG and DEVELOPMENT_SECRET in (SECRET_KEY, *TOKEN_KEYS)):
    raise ImproperlyConfigured("SECRET_KEY must be set to a secret of your own, at least 32 characters long.")
if any(len(key) < SHORTEST_SECRET for key in TOKEN_KEYS):
    raise ImproperlyConfigured("Each of TOKEN_KEYS must be at least 32 characters long.")

# What we are made of --------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",  # before the admin, whose site and templates it replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "csp",
    "django_htmx",
    "rest_framework",
    "config.kit",
    "config.tenants",
    "config.demo",
    "scheduling",
    "payments",
    "bookings",
    "alerts",
]
MIDDLEWARE = [
    "alerts.metrics.MetricsMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.kit.people.StaticFiles",
    "config.kit.people.ContentPolicy",
    "config.kit.problems.ProblemMiddleware",
    "config.kit.people.Sessions",
    "django.middleware.common.CommonMiddleware",
    "config.kit.people.Csrf",
    "config.kit.people.Authentication",
    "config.kit.people.Messages",
    "config.kit.people.Framing",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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

# PostgreSQL: it decides. The role of DATABASE_URL owns nothing; its timeouts are set on the role. -----------------
DATABASES = {
    "default": {
        **env.db("DATABASE_URL"),
        "CONN_MAX_AGE": None,
        "DISABLE_SERVER_SIDE_CURSORS": env.bool("TRANSACTION_POOLER", default=False),
    }
}
if not env.bool("TRANSACTION_POOLER", default=False):  # a transaction pooler cannot keep prepared statements
    DATABASES["default"].setdefault("OPTIONS", {}).update(server_side_binding=True, prepare_threshold=1)
DATABASE_APP_ROLE = env.str("DATABASE_APP_ROLE", default="holdfast_app")
SILENCED_SYSTEM_CHECKS = [
    "models.W045",  # venue_timezone_known is raw SQL on purpose; a validator says it first
    "security.W002",  # framing and CSRF are guarded by config.kit.people, for people's pages
    "security.W003",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis: tasks, pushes and display caches; it can die without losing a booking. ----------------------------------
REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

# Limits on how much one visitor may hold at once. Off is for load tests alone; what starts says so loudly.
LIMITS = env.bool("LIMITS", default=True)
# Networks of our own proxies: what they say in X-Forwarded-For is believed, and nobody else's word is.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

# The realtime process, as browsers reach it: sockets and server-sent events.
REALTIME_URL = env.str("REALTIME_URL", default="http://127.0.0.1:8001")

# Mail: a provider that is asked first, and one to go to while that is down; none: messages wait, and health says so. --
# resend://KEY@api.resend.com, smtp+tls://user:password@host:587, or anymail:postmark with its keys in ANYMAIL (JSON).
MAIL_URL = env.str("MAIL_URL", default="")
MAIL_FALLBACK_URL = env.str("MAIL_FALLBACK_URL", default="")
MAIL_FROM = env.str("MAIL_FROM", default="bookings@localhost")
MAIL_TIMEOUT_SECONDS = 5
ANYMAIL = {**env.json("ANYMAIL", default={}), "REQUESTS_TIMEOUT": (3, MAIL_TIMEOUT_SECONDS)}
SITE_URL = env.str("SITE_URL", default="http://localhost:8000").rstrip("/")  # what links in messages begin with

# Money: the provider's API, and the origins of its pages, to which our forms may lead. --------------------------------
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com").rstrip("/")
PAYMENT_PAGES = env.list("PAYMENT_PAGES", default=["https://checkout.stripe.com"])
PAYMENT_TIMEOUT_SECONDS = env.int("PAYMENT_TIMEOUT_SECONDS", default=8)  # for an answer of the provider

# Watching: who may read /metrics from elsewhere, and where the disk is looked at. ---------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
DATA_DIR = BASE_DIR / env.str("DATA_DIR", default=".data")

# People ---------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "tenants.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

# The edge -------------------------------------------------------------------------------------------------------
SECURE_PROXY = env.bool("BEHIND_TLS_PROXY", default=not DEBUG)
if SECURE_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|health|metrics)/?$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
X_FRAME_OPTIONS = "DENY"
# Everything is ours and from here: no inline script or style, nothing from elsewhere, in nobody's frame.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", REALTIME_URL, REALTIME_URL.replace("http", "ws", 1)],
        "form-action": ["'self'", *PAYMENT_PAGES],  # what a form leads to by a redirect counts too
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# The admin's own policy, for /admin/ alone: the strict one but for these exceptions. Each goes when Unfold needs it no
# longer.
ADMIN_CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        **CONTENT_SECURITY_POLICY["DIRECTIVES"],
        # Alpine evaluates the expressions in the attributes of Unfold's templates.
        "script-src": ["'self'", "'unsafe-eval'"],
        # Unfold writes its colours into a <style> and widths into style="".
        "style-src": ["'self'", "'unsafe-inline'"],
        # Autocomplete and htmx ask this site; there are no live numbers here, so this is narrower than elsewhere.
        "connect-src": ["'self'"],
    }
}
# Scripts of other sites may read the API where a venue allows its widget: scheduling.receivers asks the venues.
CORS_URLS_REGEX = r"^/api/v1/"
CORS_ALLOW_HEADERS = ["content-type", "idempotency-key", "if-none-match", "reservation-token", "booking-token"]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After"]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024  # bytes; the largest honest request, a booking of many lines, is under 20 kB

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# The admin's dress: the site's own accent, and the sidebar in four groups -----------------------------------------
UNFOLD = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_SYMBOL": "event_available",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("img/icon.svg")}],
    "STYLES": [lambda _: static("css/staff.css")],
    "ENVIRONMENT": "config.kit.admin.environment_label",
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "oklch(98% 0.01 190)",
            "100": "oklch(95% 0.022 190)",
            "200": "oklch(90% 0.04 190)",
            "300": "oklch(84% 0.065 190)",
            "400": "oklch(78% 0.09 190)",
            "500": "oklch(70% 0.09 190)",
            "600": "oklch(45% 0.08 190)",
            "700": "oklch(40% 0.07 190)",
            "800": "oklch(34% 0.06 190)",
            "900": "oklch(28% 0.05 190)",
            "950": "oklch(20% 0.03 190)",
        }
    },
    "SIDEBAR": {"navigation": "config.sidebar.navigation"},
    "DASHBOARD_CALLBACK": "config.dashboard.show",
}

# Programs -------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.tenants.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "config.kit.problems.answer_exception",
    "UNAUTHENTICATED_USER": None,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django.request": {"level": "ERROR"},  # a refusal is an answer, not a warning
        "stripe": {"level": "WARNING"},  # below that it writes what it sends, addresses among it
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
