"""bin/soak [place|crowd|beat|bank|kill|hoard] …: whole-site proofs over HTTP, each on a fresh site; 1 if one fails.

place   50 users for 30 seconds on a session of one place: exactly one hold
crowd   200 parallel requests for 50 places: 50 × 201 and 150 × 409
beat    with beat left out, a lapsed hold is sold to the next buyer
bank    500 paid checkouts with every fault of the bank switched on: its books and ours agree to the unit
hoard   an attacker beside 20 honest customers behind one address: 95 of 100 of these are booked
kill    web, worker and PostgreSQL are killed with -9 under load: no acknowledged hold is lost
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.soak.bank import Buyer, books_of, open_shop, running_bank, tally_of, theirs, wait_until_done
from tests.soak.site import Answer, Site, running_site

PLACE_SECONDS, PLACE_USERS = 30, 50
CROWD, CROWD_PLACES = 200, 50
KILL_SECONDS, KILL_USERS = 45, 8
VICTIMS = ("granian", "celery", "postgres")
PAUSE_SECONDS = 4.0
HOARD_SECONDS, HOARD_THREADS, HOARD_PARTY, HOARD_PLACES = 15, 4, 4, 400
CHECKOUTS, BANK_BUYERS, BANK_SESSIONS, BANK_CAPACITY, SETTLING_SECONDS = 560, 12, 8, 65, 240
HONEST, HONEST_TRIES, HONEST_SHARE, NETWORK_PLACES = 20, 3, 0.95, 200
OK, CREATED = 200, 201


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def check(name: str, found: object, wanted: object) -> None:
    """Print what was found, and fail when it is not what was wanted."""
    say(f"  {name}: {found}")
    if found != wanted:
        raise AssertionError(f"{name}: wanted {wanted}")


def place() -> None:
    """R-TST-02: fifty users, thirty seconds, one place."""
    with running_site() as site:
        session = site.make_session(1)
        until = time.monotonic() + PLACE_SECONDS

        def user(_: int) -> Counter[int]:
            statuses: Counter[int] = Counter()
            while time.monotonic() < until:
                statuses[site.hold(session).status] += 1
            return statuses

        with ThreadPoolExecutor(PLACE_USERS) as pool:
            total = sum(pool.map(user, range(PLACE_USERS)), Counter())
        say(f"  answers by status: {dict(total)}")
        check("holds", total[201], 1)
        check("other answers than 201 and 409", sorted(set(total) - {201, 409}), [])
        check("offenders", site.manage("check_invariants"), "")


def crowd() -> None:
    """Two hundred at once for fifty places."""
    with running_site() as site:
        session = site.make_session(CROWD_PLACES)
        with ThreadPoolExecutor(CROWD) as pool:
            statuses = Counter(answer.status for answer in pool.map(lambda _: site.hold(session), range(CROWD)))
        check("answers by status", dict(statuses), {201: CROWD_PLACES, 409: CROWD - CROWD_PLACES})
        check("offenders", site.manage("check_invariants"), "")


def beat() -> None:
    """Without beat nobody sweeps; the next buyer reclaims."""
    with running_site("--without", "beat") as site:
        session = site.make_session(3)
        check("the first buyer", site.hold(session, 3).status, 201)
        check("the next, while it is held", site.hold(session, 2).status, 409)
        site.lapse_holds(session)
        check("the next, once it has lapsed", site.hold(session, 2).status, 201)
        check("offenders", site.manage("check_invariants"), "")


def bank() -> None:
    """Book, pay, be declined, pay late, walk away and cancel while the bank does everything wrong; then compare."""
    with running_bank() as there, running_site(STRIPE_API_BASE=there.url, PAYMENT_PAGES=there.url) as site:
        sessions = open_shop(site, sessions=BANK_SESSIONS, capacity=BANK_CAPACITY)
        there.faults(all=True, slow_seconds=0.1, seed=7)
        started = time.monotonic()

        def buyer(number: int) -> str:
            return Buyer(site, there, random.Random(number)).buy(sessions[number % len(sessions)])

        with ThreadPoolExecutor(BANK_BUYERS) as pool:
            said = list(pool.map(buyer, range(CHECKOUTS)))
        say(f"  checkouts: {tally_of(said)}, {CHECKOUTS / (time.monotonic() - started):.1f} a second")
        there.faults()
        check("pending, open, on the way, unread", wait_until_done(site, seconds=SETTLING_SECONDS), [0, 0, 0, 0])
        say(f"  reconcile: {site.manage('reconcile')}")
        ours = books_of(site)
        paid, back = theirs(there.ask("/sandbox/ledger"))
        say(f"  bookings: {ours['statuses']}; {len(paid)} payments, {len(back)} refunds")
        check("payments that differ", sorted(paid.items() ^ ours["payments"].items()), [])
        check("refunds that differ", sorted(back.items() ^ ours["refunds"].items()), [])
        check("difference of the ledgers", ours["clearing"] - (sum(paid.values()) - sum(back.values())), 0)
        check("neither booked nor refunded", ours["neither_booked_nor_refunded"], [])
        check("offenders", site.manage("check_invariants"), "")


def hoard() -> None:
    """Hold and never buy, as fast as it goes, with a new mailbox each time; others of the same network want to book.

    Whoever also changes browsers is told from the honest by nothing that a request says: he has the network's share of
    one session (200 places) and no more, and it is printed what that leaves to his neighbours; others are not touched.
    """
    with running_site(limits=True) as site:
        for name, agent, is_told_apart in (
            ("one browser", "attacker", True),
            ("a new browser each time", "attacker/{}", False),
        ):
            session = site.make_session(HOARD_PLACES)
            taken, answers, honest = _hoard(site, session, agent)
            share = sum(honest) / len(honest)
            say(f"  attacker with {name}: {taken} places held of {HOARD_PLACES}, answers {dict(answers)}")
            say(f"  honest customers booked: {sum(honest)} of {len(honest)} ({share:.0%})")
            check("places held beyond the network's share", max(taken - NETWORK_PLACES, 0), 0)
            if is_told_apart:
                check(f"at least {HONEST_SHARE:.0%} of the honest are booked", share >= HONEST_SHARE, True)
        check("offenders", site.manage("check_invariants"), "")


def _hoard(site: Site, session: str, agent: str) -> tuple[int, Counter[int], list[bool]]:
    """Attack and buy at once; return how many places the attacker has, his answers, and which buyers were booked."""
    until = time.monotonic() + HOARD_SECONDS

    def attack(thread: int) -> list[int]:
        statuses: list[int] = []
        while time.monotonic() < until:
            number = f"{thread}-{len(statuses)}"
            email = f"nobody-{number}@example.org"
            statuses.append(site.hold(session, HOARD_PARTY, email=email, agent=agent.format(number)).status)
        return statuses

    def buy(number: int) -> bool:
        time.sleep(random.uniform(HOARD_SECONDS / 10, HOARD_SECONDS * 0.9))
        email, browser = f"guest-{number}@example.org", f"Browser/{number}"
        for _ in range(HONEST_TRIES):
            held = site.hold(session, random.randint(1, 4), email=email, agent=browser)
            if held.status == CREATED:
                time.sleep(random.uniform(0.5, 1.5))  # who fills a form in
                return site.confirm(held, email).status == OK
            time.sleep(1)
        return False

    with ThreadPoolExecutor(HOARD_THREADS + HONEST) as pool:
        attacks = [pool.submit(attack, thread) for thread in range(HOARD_THREADS)]
        honest = list(pool.map(buy, range(HONEST)))
        answers = Counter(status for attack in attacks for status in attack.result())
    return answers[CREATED] * HOARD_PARTY, answers, honest


def kill() -> None:
    """Kill everything in turn, again and again, while buyers buy; then look for every hold that was acknowledged."""
    with running_site() as site:
        session = site.make_session(1_000_000)
        acknowledged, statuses = _buy_under_fire(site, session)
        site.wait()
        say(f"  answers by status (0: the connection broke): {dict(statuses)}")
        lost = [a.body["id"] for a in acknowledged if _look(site, a).status != 200]
        check("acknowledged holds that are lost", lost, [])
        say(f"  acknowledged holds: {len(acknowledged)}")
        check("offenders", site.manage("check_invariants"), "")


def _look(site: Site, held: Answer) -> Answer:
    return site.call("GET", f"reservations/{held.body['id']}", Reservation_Token=str(held.body["token"]))


def _buy_under_fire(site: Site, session: str) -> tuple[list[Answer], Counter[int]]:
    until = time.monotonic() + KILL_SECONDS

    def buyer(_: int) -> list[Answer]:
        answers = []
        while time.monotonic() < until:
            answers.append(site.hold(session))
            time.sleep(0.0 if answers[-1].status else 0.05)
        return answers

    with ThreadPoolExecutor(KILL_USERS) as pool:
        futures = [pool.submit(buyer, number) for number in range(KILL_USERS)]
        turn = 0
        while time.monotonic() < until - PAUSE_SECONDS:
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
            victim = VICTIMS[turn % len(VICTIMS)]
            say(f"  kill -9 {victim}: {site.kill(victim)} processes")
            turn += 1
        answers = [answer for future in futures for answer in future.result()]
    return [a for a in answers if a.status == 201], Counter(a.status for a in answers)


SCENARIOS: dict[str, Callable[[], None]] = {
    "crowd": crowd, "beat": beat, "bank": bank, "hoard": hoard, "kill": kill, "place": place,
}  # fmt: skip


def main(names: list[str]) -> int:
    """Run the named scenarios, or all."""
    if unknown := set(names) - set(SCENARIOS):
        say(f"bin/soak knows {', '.join(SCENARIOS)}; not {', '.join(sorted(unknown))}.")
        return 2
    failed = []
    for name in names or SCENARIOS:
        say(f"{name}: {(SCENARIOS[name].__doc__ or '').strip()}")
        try:
            SCENARIOS[name]()
        except (AssertionError, RuntimeError) as error:
            failed.append(name)
            say(f"  FAILED: {error}")
    say(f"{len(names or SCENARIOS) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
