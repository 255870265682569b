"""Figures that are read when they are asked for: how things are at this moment."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts import health
from alerts.services import delivery, fan_out
from alerts.services.money_figures import payment_figures
from alerts.services.providers import provider_figures
from payments.services.provider_events import inbox_figures
from scheduling.tasks import SWEEP_RAN


class States(Collector):
    """What is so at this moment; what cannot be asked is left out."""

    def collect(self) -> Iterable[Metric]:
        """Yield every figure that can be had."""
        is_up = health.is_ready()
        yield _gauge("holdfast_database_up", "The database answers.", float(is_up))
        for ask in (*((facts, messages, money, inbox, audits) if is_up else ()), providers, clockwork):
            try:
                yield from list(ask())
            except Exception:  # noqa: BLE001, S112 what is away has no figure
                continue


def facts() -> Iterator[Metric]:
    """Yield how many facts wait for a consumer, and for how long."""
    oldest = fan_out.oldest_unhandled()
    yield _gauge("holdfast_unhandled_facts", "Facts that wait for a consumer.", fan_out.count_unhandled())
    seconds = oldest.total_seconds() if oldest else 0.0
    yield _gauge("holdfast_oldest_unhandled_fact_seconds", "Age of the oldest of them.", seconds)
    yield _gauge("holdfast_parked_facts", "Facts that a consumer refuses again and again.", fan_out.count_parked())


def messages() -> Iterator[Metric]:
    """Yield how many messages wait for their provider, for how long, and how many were given up."""
    queue = delivery.queue_figures()
    yield _gauge("holdfast_queued_messages", "Messages that are due and not sent.", queue.queued)
    yield _gauge("holdfast_oldest_queued_message_seconds", "How long the oldest of them is due.", queue.oldest_seconds)
    yield _gauge("holdfast_failed_messages", "Messages that were given up.", queue.failed)


def money() -> Iterator[Metric]:
    """Yield the payments of a day by provider and status, the share that was paid, refunds, disputes, differences."""
    found = payment_figures()
    payments = GaugeMetricFamily("holdfast_payments", "Payments opened in a day.", labels=["provider", "status"])
    for (provider, status), number in found.by_status.items():
        payments.add_metric([provider, status], number)
    yield payments
    if found.success_ratio is not None:
        yield _gauge("holdfast_payment_success_ratio", "The share that was paid, of a day's.", found.success_ratio)
    yield _gauge("holdfast_waiting_refunds", "Refunds that are not settled.", found.refunds_waiting)
    yield _gauge("holdfast_failed_refunds", "Refunds that were given up.", found.refunds_failed)
    yield _gauge("holdfast_open_disputes", "Disputes that nobody has decided.", found.open_disputes)
    words = "Differences that the last reconciliation of each account left open."
    yield _gauge("holdfast_reconciliation_differences", words, found.differences)


def inbox() -> Iterator[Metric]:
    """Yield what providers have told and was not applied yet, since when, and what fails again and again."""
    found = inbox_figures()
    yield _gauge("holdfast_waiting_provider_events", "Events of providers that wait.", found.waiting)
    yield _gauge("holdfast_oldest_provider_event_seconds", "Age of the oldest of them.", found.oldest_seconds)
    yield _gauge("holdfast_failing_provider_events", "Of them, those tried again and again.", found.failing)


def providers() -> Iterator[Metric]:
    """Yield how many accounts there are, and how many cannot take money, and why."""
    found = provider_figures()
    yield _gauge("holdfast_provider_accounts", "Accounts at payment providers.", found.accounts)
    yield _gauge("holdfast_provider_accounts_down", "Without an answer for five minutes.", found.down)
    yield _gauge("holdfast_provider_accounts_refused", "Whose key the provider refuses.", found.refused)
    yield _gauge("holdfast_provider_breakers_open", "About which nobody asks for the moment.", found.resting)


def audits() -> Iterator[Metric]:
    """Yield what the last audits found, and their age."""
    findings = GaugeMetricFamily("holdfast_audit_findings", "Broken invariants in the last audit.", labels=["scope"])
    ages = GaugeMetricFamily("holdfast_audit_age_seconds", "Age of the last audit.", labels=["scope"])
    for scope, (found, age) in health.audit_ages().items():
        findings.add_metric([scope], found)
        ages.add_metric([scope], age)
    yield from (findings, ages)


def clockwork() -> Iterator[Metric]:
    """Yield which sweeps are known to run."""
    running = GaugeMetricFamily("holdfast_sweep_running", "The sweep is known to run.", labels=["sweep"])
    for key in (SWEEP_RAN, fan_out.FAN_OUT_RAN):
        running.add_metric([key], float(key in health.redis.ask()["beats"]))
    yield running


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)
