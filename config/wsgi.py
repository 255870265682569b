"""The WSGI application that granian serves."""

import gc
import importlib
import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.fast_reads import Application, FastReads

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application: Application = get_wsgi_application()
importlib.import_module("config.celery")  # so that tasks asked for in here reach the broker of the settings
metrics = importlib.import_module("alerts.metrics")
display_cache = importlib.import_module("scheduling.display_cache")
application = FastReads(application, versions_of=display_cache.versions_of, count=metrics.count_kept_answer)
display_cache.listeners.append(application.forget)
# What is loaded stays for good: collections need not look at it again, and may come less often.
importlib.import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 100)
if not settings.LIMITS:
    logging.getLogger(__name__).warning(
        "LIMITS=off: NOBODY IS KEPT FROM HOARDING PLACES. This is for load tests alone."
    )
