"""The payment page and the counter's page, as a browser without scripts sees them."""

import http.client
import re
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from payments.sandbox.currencies import written
from tests.payments.bank.shop import CHALLENGE, DECLINED, DISPUTED, LATE, SUCCEEDS, Shop


def visit(url: str, **sent: str) -> tuple[int, str, http.client.HTTPMessage]:
    """Get a page, or send its form; redirects are not followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": sent.pop("site", "same-origin")}
    connection.request("POST" if sent else "GET", parts.path, urlencode(sent), headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def page_of(session: stripe.checkout.Session) -> str:
    assert session.url
    return session.url


def test_the_page_says_what_is_paid_to_whom_and_how(shop: Shop) -> None:
    session = shop.checkout(customer_email="ann@example.org", branding_settings={"display_name": "<Harbour> & Co"})
    status, page, headers = visit(page_of(session))
    assert status == 200
    for words in ("no real money", "Harbour tour × 2", "Pay £45.00", "ann@example.org", "http://shop.test/basket"):
        assert words in page
    assert "Pay &lt;Harbour&gt; &amp; Co" in page
    assert "<script" not in page
    assert "style=" not in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_typed_card_pays_and_leads_back_to_the_shop(shop: Shop) -> None:
    session = shop.checkout()
    card = {"number": "4242 4242 4242 4242", "expiry": "12 / 39", "cvc": "123", "email": "bo@example.org"}
    status, _, headers = visit(page_of(session), **card)
    assert (status, headers["Location"]) == (303, f"http://shop.test/paid?session={session.id}")
    details = shop.look(session.id).customer_details
    assert details
    assert details.email == "bo@example.org"
    again, page, _ = visit(page_of(session))
    assert again == 200
    assert "This is paid" in page
    assert (f"http://shop.test/paid?session={session.id}" in page) is True


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"number": "", "expiry": "12/39", "cvc": "123"}, "Write your card number"),
        ({"number": SUCCEEDS, "expiry": "13/39", "cvc": "123"}, "month and year"),
        ({"number": SUCCEEDS, "expiry": "01/20", "cvc": "123"}, "month and year"),
        ({"number": SUCCEEDS, "expiry": "12/39", "cvc": "12"}, "three or four digits"),
        ({"number": "4242424242424241", "expiry": "12/39", "cvc": "123"}, "Your card number is invalid"),
        ({"card": DECLINED}, "Your card was declined."),
    ],
)
def test_what_cannot_be_paid_is_said_in_words_and_the_page_stays(typed: dict[str, str], words: str, shop: Shop) -> None:
    session = shop.checkout()
    status, page, _ = visit(page_of(session), **typed)
    assert status == 402
    assert words in re.findall(r'role="alert">\s*([^<]+)', page)[0]
    assert "Pay £45.00" in page
    assert SUCCEEDS not in page.split("<h2")[0]  # what was typed is not shown again
    assert visit(page_of(session), card=SUCCEEDS)[0] == 303


def test_a_bank_that_asks_has_a_page_of_its_own(shop: Shop) -> None:
    session = shop.checkout()
    status, _, headers = visit(page_of(session), card=CHALLENGE)
    assert (status, headers["Location"]) == (303, f"{session.url}/challenge")
    assert "Approve" in visit(headers["Location"])[1]
    assert "Approve" in visit(page_of(session))[1]  # the question stands, also for who goes back
    refused, page, _ = visit(headers["Location"], answer="refuse")
    assert refused == 402
    assert "You did not approve the payment" in page
    visit(page_of(session), card=CHALLENGE)
    approved, _, back = visit(headers["Location"], answer="approve")
    assert (approved, back["Location"]) == (303, f"http://shop.test/paid?session={session.id}")


def test_an_expired_page_says_so_and_leads_back(shop: Shop) -> None:
    session = shop.checkout()
    shop.client.v1.checkout.sessions.expire(session.id)
    status, page, _ = visit(page_of(session), card=SUCCEEDS)
    assert status == 410
    assert "has expired" in page
    assert "http://shop.test/basket" in page
    assert visit(f"{shop.url}/pay/cs_test_none")[0] == 404
    assert visit(page_of(shop.checkout()), **{"card[": "1"})[0] == 400


def test_amounts_are_written_as_people_write_them() -> None:
    amounts = [written(*each) for each in ((4500, "gbp"), (1234567, "usd"), (4500, "jpy"), (1230, "kwd"), (-5, "eur"))]
    assert amounts == ["£45.00", "$12,345.67", "¥4,500", "KWD\N{NO-BREAK SPACE}1.230", "−€0.05"]


def test_the_counter_shows_payments_with_what_can_be_done_with_them(shop: Shop) -> None:
    open_one, late, disputed, refunded = (shop.checkout() for _ in range(4))
    for session, card in ((late, LATE), (disputed, DISPUTED), (refunded, SUCCEEDS)):
        shop.pay(session.id, card)
    intent = shop.client.v1.checkout.sessions.retrieve(refunded.id).payment_intent
    shop.client.v1.refunds.create({"payment_intent": str(intent), "amount": 1000})
    _, page, _ = visit(f"{shop.url}/sandbox")
    for act in ("pay", "expire", "settle_late", "fail_late", "win_dispute", "lose_dispute", "open_dispute"):
        assert f'value="{act}"' in page
    assert page.count('value="replay"') == 4
    assert page.count('value="fail_refund"') == 1
    assert SUCCEEDS not in page
    assert visit(f"{shop.url}/sandbox", act="pay", id=open_one.id)[0] == 303
    assert shop.look(open_one.id).payment_status == "paid"
    status, page, _ = visit(f"{shop.url}/sandbox", act="pay", id=open_one.id)
    assert status == 400
    assert "This Checkout Session is complete." in page


def test_the_counter_sets_the_switches_and_no_other_sites_page_can(shop: Shop) -> None:
    url = f"{shop.url}/sandbox"
    assert visit(url, down="on", slow_seconds="0")[0] == 303
    assert "checked" in visit(url)[1]
    assert visit(url, preset="none")[0] == 303
    assert "checked" not in visit(url)[1]
    assert visit(url, preset="all", site="cross-site")[0] == 403
    assert visit(url, slow_seconds="long")[0] == 422
    assert shop.checkout().status == "open"
