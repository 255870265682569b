"""The demo's money: accounts at the sandbox bank, codes, vouchers, and those who pay online.

It comes after everything else, organization by organization, since a bank is never asked inside a transaction. One that
is cut short goes on with the next organization when the demo is loaded again.
"""

import secrets
import time
from collections.abc import Callable

from django.conf import settings

from bookings.models import Booking
from bookings.services import desk_money
from bookings.services.promo_code_issue import PromoTerms, create_promo_code
from config.demo import aftermath
from config.demo.bank import Bank, find_bank
from config.demo.organizations import ORGANIZATIONS
from config.demo.plans import ActivityPlan, OrganizationPlan, PromoPlan
from config.demo.sales import Shop, sell
from config.demo.visits import Scene, Visitors, invite_visitors, parties_to_come
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import Refusal
from config.tenants.models import Organization, User
from payments.models import Dispute, Payment, ProviderAccount, Refund, Voucher
from payments.services import vouchers
from payments.services.accounts import connect_account
from scheduling.models import Activity

Say = Callable[[str], None]


def load_money(*, say: Say) -> bool:
    """Give the organizations of the demo that have no account yet one, and its story; False: nothing was done.

    Without a sandbox bank it says so. A bank that stops answering meanwhile leaves the rest for another time.
    """
    plans = _without_account()
    bank = find_bank() if plans else None
    if bank is None:
        if plans:
            say(f"There is no sandbox bank at {settings.STRIPE_API_BASE}, so nobody can pay online. bin/run has one.")
        return False
    for plan in plans:
        started = time.monotonic()
        try:
            shop = _open_shop(bank, plan)
            _tell_stories(shop, plan)
        except (OSError, Refusal) as error:
            say(f"The bank does not do as it should, so the money of {plan.name} is not all there: {error!r}")
            return True
        say(f"{plan.name} is paid online: {_describe(shop.account)} ({time.monotonic() - started:.1f} s)")
    return True


def _without_account() -> list[OrganizationPlan]:
    served = ProviderAccount.objects.values("organization")
    slugs = set(Organization.objects.exclude(id__in=served).values_list("slug", flat=True))
    return [plan for plan in ORGANIZATIONS if plan.slug in slugs]


def _open_shop(bank: Bank, plan: OrganizationPlan) -> Shop:
    """Connect an account, as an owner does with the key that the bank gave; a new one each time, with clean books."""
    organization = Organization.objects.get(slug=plan.slug)
    manager = User.objects.get(email=plan.manager_email)
    staff = Actor(kind=ActorKind.STAFF, channel="admin", id=manager.id)
    key = f"sk_test_{plan.slug.replace('-', '_')}_{secrets.token_hex(8)}"
    account = connect_account(organization_id=organization.id, api_key=key, actor=staff)
    for promo in plan.money.promo_codes:
        create_promo_code(organization_id=organization.id, terms=_terms(promo, plan.currency), actor=staff)
    visitors = invite_visitors(plan, desk=manager)
    return Shop(
        bank=bank, account=account, scenes=_scenes(plan, organization, visitors), contacts=visitors.contacts,
        vouchers=[_issue(organization, manager, staff, *each) for each in plan.money.vouchers], staff=staff,
    )  # fmt: skip


def _terms(promo: PromoPlan, currency: str) -> PromoTerms:
    return PromoTerms(
        promo.code, percent=promo.percent, amount_minor=promo.amount_minor, currency=currency,
        most_uses=promo.most_uses, note=promo.note,
    )  # fmt: skip


def _issue(organization: Organization, manager: User, staff: Actor, amount_minor: int, note: str) -> Voucher:
    return vouchers.issue_voucher(
        organization_id=organization.id, amount_minor=amount_minor, currency=organization.currency, expires_on=None,
        note=note, issued_by=manager.id, actor=staff,
    )  # fmt: skip


def _scenes(plan: OrganizationPlan, organization: Organization, visitors: Visitors) -> dict[str, Scene]:
    activities = Activity.objects.on_sale().filter(organization=organization).select_related("venue")
    found = {activity.slug: activity for activity in activities}
    return {each.slug: _scene(each, found[each.slug], visitors) for each in plan.activities if each.slug in found}


def _scene(plan: ActivityPlan, activity: Activity, visitors: Visitors) -> Scene:
    return Scene(plan, activity, dict(activity.units.values_list("name", "id")), visitors)


def _tell_stories(shop: Shop, plan: OrganizationPlan) -> None:
    """Let those come who pay online, those of whom there is more to tell, and one who pays at the desk."""
    for scene in shop.scenes.values():
        for session, party in parties_to_come(scene) if scene.plan.is_paid_online else ():
            sell(shop, scene, session, party)
    for purchase in plan.money.purchases:
        aftermath.tell(shop, purchase)
    _take_at_the_desk(shop)


def _take_at_the_desk(shop: Shop) -> None:
    """Staff take what somebody owes who meant to pay on arrival."""
    owing = Booking.objects.filter(
        organization=shop.account.organization_id, status=Booking.Status.CONFIRMED, payment_method="pay_on_arrival"
    )
    booking = owing.order_by("id").first()
    if booking:
        desk_money.take_money(booking_id=booking.id, amount_minor=booking.total_minor, actor=shop.staff)


def _describe(account: ProviderAccount) -> str:
    """Say how much there is of everything."""
    counts = {
        "payments": Payment.objects.filter(account=account, status=Payment.Status.SUCCEEDED).count(),
        "refunds": Refund.objects.filter(payment__account=account).count(),
        "disputes": Dispute.objects.filter(payment__account=account).count(),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
