"""The Celery application, and everything that runs by the clock in one table."""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {}

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT_SCHEDULE
app.autodiscover_tasks()
