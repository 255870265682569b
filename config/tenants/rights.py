"""What staff may do, by role: one table, pure. Owner and manager run their organization; the others have a part in it.

A right is "view", "add", "change" or the name of an admin action; it is about one kind of row, named as Django does.
Users are nobody's part: an address and a password open every organization that they belong to, so they are the
superusers' affair.
"""

from collections.abc import Iterable, Mapping

Rights = Mapping[str, frozenset[str]]


def _rights(**kinds: str) -> Rights:
    return {kind.replace("__", "."): frozenset(rights.split()) for kind, rights in kinds.items()}


EVERYTHING = _rights(
    tenants__organization="view change",
    tenants__membership="view change",
    tenants__apikey="view",
    scheduling__venue="view add change renew_feed_addresses",
    scheduling__activity="view add change publish_activities withdraw_activities discontinue_activities",
    scheduling__scheduleversion="view add",
    scheduling__scheduleexception="view add lift_exceptions",
    scheduling__schedulechange="view add apply_changes",
    scheduling__session="view recalculate_sessions close_sessions reopen_sessions revise_sessions cancel_sessions",
    scheduling__pricerule="view add end_price_rules",
    scheduling__reservation="view",
    bookings__booking=(
        "view add overbook_sessions check_in_lines cancel_bookings change_bookings waive_fees view_cancellations "
        "refund_bookings take_money send_payment_links"
    ),
    bookings__promocode="view add end_promo_codes",
    payments__payment="view refresh_payments",
    payments__refund="view retry_refunds hand_back_refunds",
    payments__dispute="view",
    payments__voucher="view add open_vouchers end_vouchers read_codes",
    payments__ledgertransaction="view",
    payments__reconciliation="view",
    payments__provideraccount="view add rotate_secrets end_accounts check_accounts reconcile_accounts",
    bookings__attempt="view",
    bookings__customer="view export_customers erase_customers",
    bookings__affectedline="view contact_lines keep_lines move_lines refund_lines",
    bookings__waitlistentry="view add raise_entries lower_entries remove_entries",
    alerts__alert="view acknowledge_alerts resolve_alerts",
    alerts__notification="view repeat_notifications",
)

# Whose account the money goes to is the owner's word alone.
OWNERS_ALONE = _rights(payments__provideraccount="add rotate_secrets end_accounts")

ROLES: Mapping[str, Rights] = {
    "owner": EVERYTHING,
    "manager": {kind: rights - OWNERS_ALONE.get(kind, frozenset()) for kind, rights in EVERYTHING.items()},
    "reception": _rights(
        scheduling__session="view close_sessions reopen_sessions",
        scheduling__scheduleexception="view",
        bookings__booking=("view add cancel_bookings change_bookings check_in_lines take_money send_payment_links"),
        payments__payment="view refresh_payments",
        bookings__customer="view",
        bookings__affectedline="view contact_lines keep_lines move_lines",
        bookings__waitlistentry="view add remove_entries",
        alerts__alert="view acknowledge_alerts",
        alerts__notification="view repeat_notifications",
    ),
    "instructor": _rights(scheduling__session="view", bookings__booking="view"),
    "auditor": {
        **dict.fromkeys(EVERYTHING, frozenset({"view"})),
        **_rights(bookings__booking="view view_cancellations"),
    },
}


def allows(role: str | None, kind: str, act: str) -> bool:
    """Does this role include the act, with rows of this kind ("scheduling.session")?"""
    return role is not None and act in ROLES[role].get(kind, frozenset())


def allow_any(roles: Iterable[str], kind: str, act: str) -> bool:
    """Does one of these roles?"""
    return any(allows(role, kind, act) for role in roles)
