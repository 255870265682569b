"""The ASGI application that uvicorn serves: sockets and server-sent events, nothing else."""

import os
from importlib import import_module

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

application = import_module("alerts.realtime.routing").application
