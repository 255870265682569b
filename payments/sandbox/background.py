"""What happens by itself at an instant: sessions expire, late money arrives, refunds settle."""

from collections.abc import Callable

from . import clock, paying, refunds, sessions
from .bank import Bank, Call

ACTS: dict[str, Callable[[Call, str], None]] = {
    "expire_session": sessions.expire_when_due,
    "settle_late": paying.settle_late,
    "fail_late": paying.fail_late,
    "settle_refund": refunds.settle_refund,
    "fail_refund": refunds.fail_refund,
}
AT_ONCE = 100


def run_due(bank: Bank) -> None:
    """Do what is due, each in a transaction of its own; called often, and before every answer."""
    sql = "SELECT id, act, account, object FROM timers WHERE done = 0 AND due_at <= ? ORDER BY due_at, id LIMIT ?"
    for timer_id, act, account, object_id in bank.store.rows(sql, (clock.now(), AT_ONCE)):
        with bank.store.transaction():
            if bank.store.execute("UPDATE timers SET done = 1 WHERE id = ? AND done = 0", (timer_id,)):
                ACTS[act](Call(bank, account), object_id)
