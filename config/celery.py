"""The Celery application, and everything that runs by the clock in one table."""

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Each runs again soon, so one that could not start in time is dropped rather than piled up (`expires`, seconds).
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "release expired reservations": {
        "task": "scheduling.tasks.release_expired_reservations",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "ask who waits, where that was missed": {
        "task": "bookings.tasks.sweep_waitlist",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "let go what was not paid in time": {
        "task": "bookings.tasks.expire_pending_bookings",
        "schedule": 15,
        "options": {"expires": 14},
    },
    "remind of balances": {
        "task": "bookings.tasks.tell_balances",
        "schedule": 10 * 60,
        "options": {"expires": 9 * 60},
    },
    "apply what providers told": {
        "task": "payments.tasks.apply_provider_events",
        "schedule": 5,
        "options": {"expires": 4},
    },
    "close the payments whose time is over": {
        "task": "payments.tasks.close_lapsed_payments",
        "schedule": 15,
        "options": {"expires": 14},
    },
    "look for payments of which nothing was heard": {
        "task": "payments.tasks.reconcile_open_payments",
        "schedule": 15,
        "options": {"expires": 14},
    },
    "send the refunds that are due": {
        "task": "payments.tasks.submit_due_refunds",
        "schedule": 15,
        "options": {"expires": 14},
    },
    "lay the books beside the statements": {
        "task": "payments.tasks.reconcile_accounts",
        "schedule": 60 * 60,
        "options": {"expires": 50 * 60},
    },
    "forget former webhook secrets": {
        "task": "payments.tasks.retire_former_secrets",
        "schedule": 60 * 60,
        "options": {"expires": 50 * 60},
    },
    "note who came, by policy": {
        "task": "bookings.tasks.settle_outcomes",
        "schedule": 5 * 60,
        "options": {"expires": 4 * 60},
    },
    "archive and erase what is old": {
        "task": "bookings.tasks.retain_personal_data",
        "schedule": 6 * 60 * 60,
        "options": {"expires": 5 * 60 * 60},
    },
    "fill the venues that are due": {
        "task": "scheduling.tasks.generate_sessions",
        "schedule": 15 * 60,
        "options": {"expires": 10 * 60},
    },
    "hand facts to their consumers": {
        "task": "alerts.tasks.fan_out_facts",
        "schedule": 30,
        "options": {"expires": 25},
    },
    "try again what was parked": {
        "task": "alerts.tasks.fan_out_parked_facts",
        "schedule": 60 * 60,
        "options": {"expires": 50 * 60},
    },
    "deliver messages that are due": {
        "task": "alerts.tasks.deliver_messages",
        "schedule": 5,
        "options": {"expires": 4},
    },
    "watch the payment providers": {
        "task": "alerts.tasks.watch_providers",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "audit the sessions from yesterday onward": {
        "task": "alerts.tasks.audit_sessions",
        "schedule": 30,
        "options": {"expires": 25},
    },
    "audit everything": {"task": "alerts.tasks.audit_everything", "schedule": 60 * 60, "options": {"expires": 50 * 60}},
    "forget old idempotency keys": {
        "task": "config.kit.tasks.forget_old_keys",
        "schedule": 60 * 60,
        "options": {"expires": 50 * 60},
    },
}

app = Celery("holdfast")
app.set_default()  # in every thread: Celery's own default app would look for another broker
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT_SCHEDULE
app.autodiscover_tasks()
