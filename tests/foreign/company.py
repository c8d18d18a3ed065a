# A company's identity server: Django with the OAuth Toolkit. Apps are entered by hand, people sign in with a password, tokens are opaque and looked up
# by the agent (RFC 7662). Nobody is known when it starts but Ada, this app and the agent.
#
# `python company.py --port 4000` prints `READY ISSUER BOOKS` when it answers.

import argparse
import secrets
import sys
from pathlib import Path

import django
from django.conf import settings

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
# Of an access token, in seconds.
parser.add_argument("--token-life", type=int, default=3600)
# The folder for the books. Whoever starts this may end it at any moment, and takes the folder away then.
parser.add_argument("--books", type=Path, required=True)
# What the agent asks about tokens with.
parser.add_argument("--agent-secret", required=True)
options = parser.parse_args()

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

LOGIN = """<!doctype html><title>The company</title><h1>Sign in at the company</h1>
<form method="post">{% csrf_token %}{{ form.as_p }}<input type="hidden" name="next" value="{{ next }}"><button>Sign in</button></form>"""

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY=secrets.token_hex(32),
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    LOGIN_URL="/login/",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": options.books / "books.sqlite3",
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"login.html": LOGIN}),
                    "django.template.loaders.app_directories.Loader",
                ],
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                ]
            },
        }
    ],
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": pem.decode(),
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "SCOPES": {"openid": "who you are", "chat": "talk to the agent", "introspection": "look tokens up"},
        "PKCE_REQUIRED": True,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["dev.callbox.desktop", "http", "https"],
        "ACCESS_TOKEN_EXPIRE_SECONDS": options.token_life,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
    },
)
django.setup()

from django.contrib.auth import views  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider import urls as oauth  # noqa: E402


def books(_request):
    """What a test wants to know."""
    from django.contrib.sessions.models import Session
    from oauth2_provider.models import get_access_token_model, get_refresh_token_model

    refresh = get_refresh_token_model().objects.all()
    return JsonResponse(
        {
            "refresh": [{"client": token.application.client_id, "revoked": token.revoked is not None} for token in refresh],
            "access": get_access_token_model().objects.count(),
            "sessions": sum(1 for session in Session.objects.all() if "_auth_user_id" in session.get_decoded()),
        }
    )


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("", include((oauth.metadata_urlpatterns, "oauth2_provider"), namespace="metadata")),
    path("login/", views.LoginView.as_view(template_name="login.html")),
    path("books/", books),
]

if __name__ == "__main__":
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    from django.contrib.auth import get_user_model
    from oauth2_provider.models import get_application_model

    get_user_model().objects.create_user("ada", "ada@example.com", "anything", first_name="Ada", last_name="Lovelace")
    Application = get_application_model()
    Application.objects.create(
        name="Callbox",
        client_id="callbox-at-the-company",
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="dev.callbox.desktop://callback",
        algorithm=Application.RS256_ALGORITHM,
    )
    Application.objects.create(
        name="The agent",
        client_id="the-agent",
        client_secret=options.agent_secret,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )

    class Quiet(WSGIRequestHandler):
        def log_message(self, format, *args):
            print(format % args, file=sys.stderr, flush=True)

    class Server(ThreadingMixIn, WSGIServer):
        # A browser holds connections open that it may want later.
        daemon_threads = True

    server = make_server("127.0.0.1", options.port, get_wsgi_application(), Server, Quiet)
    print(f"READY http://127.0.0.1:{options.port}/o http://127.0.0.1:{options.port}/books/", flush=True)
    server.serve_forever()
