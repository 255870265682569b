"""Pairs of bookings of one session, labelled by what their customer means; nothing of the detector is imported here.

Each pair is two orders by one imagined person or by two. `is_duplicate` says what a person at the desk would say who
knows the whole story: the second was not meant.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

NAMES = ["Anna", "Bo", "Cy", "Dee", "Eli", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Lea", "Max", "Noa", "Ora", "Zoë"]
SURNAMES = ["Archer", "Brook", "Cole", "Dürr", "Esposito", "Fisher", "Grant", "O'Neil", "Lindström", "van Dam"]
HOSTS = ["example.org", "example.com", "mail.example", "gmail.com"]


@dataclass(frozen=True)
class Order:
    """Who books, and whom they name."""

    email: str
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A first booking, what became of it, and a second one."""

    kind: str
    first: Order
    second: Order
    is_duplicate: bool
    first_is: str = "live"  # live, cancelled, moved to another session
    is_meant: bool = False  # the customer says so


def person(rng: random.Random) -> str:
    return f"{rng.choice(NAMES)} {rng.choice(SURNAMES)}"


def address(rng: random.Random, host: str | None = None) -> str:
    name = f"{rng.choice(NAMES)}.{rng.choice(SURNAMES)}{rng.randrange(1000)}".lower()
    return f"{name.replace(chr(39), '').replace(' ', '')}@{host or rng.choice(HOSTS)}"


def family(rng: random.Random) -> tuple[str, ...]:
    surname = rng.choice(SURNAMES)
    return tuple(f"{name} {surname}" for name in rng.sample(NAMES, rng.randint(2, 4)))


def order(rng: random.Random) -> Order:
    return Order(address(rng), family(rng) if rng.random() < 0.4 else ())


# The second was not meant -----------------------------------------------------------------------------------------


def sent_again(rng: random.Random) -> Case:
    first = order(rng)
    return Case("sent again", first, first, is_duplicate=True)


def other_case(rng: random.Random) -> Case:
    first = order(rng)
    second = "".join(letter.upper() if rng.random() < 0.5 else letter for letter in first.email)
    return Case("other case", first, replace(first, email=second), is_duplicate=True)


def plus_tag(rng: random.Random) -> Case:
    first = order(rng)
    name, _, host = first.email.partition("@")
    second = replace(first, email=f"{name}+{rng.choice(['ski', '1', 'Holiday'])}@{host}")
    return Case("plus tag", first, second, is_duplicate=True)


def spaces(rng: random.Random) -> Case:
    first = order(rng)
    second = Order(f" {first.email} ", tuple(f"  {name.replace(' ', '  ')} " for name in first.people))
    return Case("spaces", first, second, is_duplicate=True)


def dots(rng: random.Random) -> Case:
    first = Order(address(rng, "gmail.com"))
    return Case("dots", first, Order(first.email.replace(".", "", 1)), is_duplicate=True)


def names_in_another_order(rng: random.Random) -> Case:
    first = Order(address(rng), family(rng))
    second = replace(first, people=tuple(rng.sample([name.upper() for name in first.people], len(first.people))))
    return Case("names in another order", first, second, is_duplicate=True)


def mistyped_name(rng: random.Random) -> Case:
    first = Order(address(rng), (person(rng),))
    name = first.people[0]
    at = rng.randrange(1, len(name) - 1)
    return Case("mistyped name", first, replace(first, people=(name[:at] + name[at + 1 :],)), is_duplicate=True)


# The second is another party's, or is meant -----------------------------------------------------------------------


def other_family_members(rng: random.Random) -> Case:
    surname, email = rng.choice(SURNAMES), address(rng)
    chosen = rng.sample(NAMES, 4)
    first, second = (Order(email, tuple(f"{name} {surname}" for name in names)) for names in (chosen[:2], chosen[2:]))
    return Case("other members of a family", first, second, is_duplicate=False)


def friends_at_one_address(rng: random.Random) -> Case:
    email = f"club{rng.randrange(100)}@example.org"
    one, other = rng.sample([f"{name} {surname}" for name in NAMES for surname in SURNAMES], 2)
    return Case("friends with a shared address", Order(email, (one,)), Order(email, (other,)), is_duplicate=False)


def strangers(rng: random.Random) -> Case:
    first, second = order(rng), order(rng)
    return Case("strangers", first, replace(second, email=f"x{second.email}"), is_duplicate=False)


def namesakes(rng: random.Random) -> Case:
    name = person(rng)
    first, second = Order(address(rng, "example.org"), (name,)), Order(address(rng, "example.com"), (name,))
    return Case("namesakes", first, second, is_duplicate=False)


def dots_elsewhere(rng: random.Random) -> Case:
    first = Order(address(rng, "example.org"))
    return Case("dots that count", first, Order(first.email.replace(".", "", 1)), is_duplicate=False)


def cancelled_earlier(rng: random.Random) -> Case:
    first = order(rng)
    return Case("cancelled earlier", first, first, is_duplicate=False, first_is="cancelled")


def moved_earlier(rng: random.Random) -> Case:
    first = order(rng)
    return Case("moved earlier", first, first, is_duplicate=False, first_is="moved")


def overridden(rng: random.Random) -> Case:
    first = order(rng)
    return Case("override", first, first, is_duplicate=False, is_meant=True)


def unnamed_elder_brother(rng: random.Random) -> Case:
    first = Order(address(rng))
    return Case("meant, and nobody was named", first, first, is_duplicate=False)


KINDS: list[tuple[Callable[[random.Random], Case], int]] = [
    (sent_again, 24), (other_case, 8), (plus_tag, 6), (spaces, 4), (dots, 3), (names_in_another_order, 4),
    (mistyped_name, 2), (other_family_members, 12), (friends_at_one_address, 6), (strangers, 24), (namesakes, 4),
    (dots_elsewhere, 2), (cancelled_earlier, 6), (moved_earlier, 4), (overridden, 4), (unnamed_elder_brother, 1),
]  # fmt: skip


def generate(seed: int, *, size: int) -> list[Case]:
    """Return so many cases, mixed by how often each kind is seen."""
    rng = random.Random(seed)
    kinds, weights = [kind for kind, _ in KINDS], [weight for _, weight in KINDS]
    return [kind(rng) for kind in rng.choices(kinds, weights, k=size)]
