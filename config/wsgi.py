"""The WSGI application that granian serves."""

import gc
import importlib
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
importlib.import_module("config.celery")  # so that tasks asked for in here reach the broker of the settings
# What is loaded stays for good: collections need not look at it again, and may come less often.
importlib.import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 100)
