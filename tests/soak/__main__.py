"""bin/soak [place|crowd|beat|kill] …: whole-site proofs over HTTP, each on a fresh site; exits 1 when one fails.

place   50 users for 30 seconds on a session of one place: exactly one hold
crowd   200 parallel requests for 50 places: 50 × 201 and 150 × 409
beat    with beat left out, a lapsed hold is sold to the next buyer
kill    web, worker and PostgreSQL are killed with -9 under load: no acknowledged hold is lost
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.soak.site import Answer, Site, running_site

PLACE_SECONDS, PLACE_USERS = 30, 50
CROWD, CROWD_PLACES = 200, 50
KILL_SECONDS, KILL_USERS = 45, 8
VICTIMS = ("granian", "celery", "postgres")
PAUSE_SECONDS = 4.0


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


SCENARIOS: dict[str, Callable[[], None]] = {"crowd": crowd, "beat": beat, "kill": kill, "place": place}


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
