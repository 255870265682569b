"""What beat asks of alerts."""

import logging

from celery import shared_task

from alerts.services import auditor

logger = logging.getLogger(__name__)


@shared_task
def audit_sessions() -> int:
    """Every 30 seconds: the sessions from yesterday onward."""
    return _report(auditor.check_recent_sessions())


@shared_task
def audit_everything() -> int:
    """Every hour: all there is."""
    return _report(auditor.check_invariants())


def _report(findings: list[auditor.Finding]) -> int:
    for finding in findings:
        logger.error("invariant broken: %s", finding)
    return len(findings)
