"""What beat, and a nudge, ask of alerts; each calls one service and is safe to run twice."""

import logging
from contextlib import suppress

from celery import shared_task
from django.core.cache import cache
from kombu.exceptions import OperationalError

from alerts.services import auditor, delivery, fan_out, providers

logger = logging.getLogger(__name__)

FAN_OUT_IS_FRESH_SECONDS = 90
DELIVERY_EXPIRES_SECONDS = 25


@shared_task
def audit_sessions() -> int:
    """Every 30 seconds: the sessions from yesterday onward."""
    return _report("sessions", auditor.check_recent_sessions())


@shared_task
def audit_everything() -> int:
    """Every hour: all there is."""
    return _report("everything", auditor.check_invariants())


@shared_task
def fan_out_facts() -> int:
    """Every 30 seconds, and soon after a fact that somebody wants: hand facts to their consumers."""
    handed_over = fan_out.fan_out_facts()
    cache.set(fan_out.FAN_OUT_RAN, handed_over, timeout=FAN_OUT_IS_FRESH_SECONDS)
    if handed_over:
        with suppress(OperationalError):  # with the broker away beat's own call comes
            deliver_messages.apply_async(expires=DELIVERY_EXPIRES_SECONDS, retry=False)
    return handed_over


@shared_task
def fan_out_parked_facts() -> int:
    """Every hour: once more what a consumer has refused again and again."""
    return fan_out.fan_out_facts(parked_too=True)


@shared_task
def deliver_messages() -> int:
    """Every 5 seconds, and soon after somebody is to be told: hand messages that are due to their provider."""
    return delivery.deliver_due()


@shared_task
def watch_providers() -> int:
    """Every minute: tell staff of payment providers that do not answer, or refuse an account."""
    return providers.watch_providers()


def _report(scope: str, findings: list[auditor.Finding]) -> int:
    for finding in findings:
        logger.error("invariant broken: %s", finding)
    auditor.remember_result(scope, findings=len(findings))
    return len(findings)
