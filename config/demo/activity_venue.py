"""Document 004: an activity venue, whose main timetable is the document's own."""

from config.demo.plans import (
    ActivityPlan,
    ChangePlan,
    ExtraPlan,
    MoneyPlan,
    OrganizationPlan,
    PromoPlan,
    Purchase,
    Story,
    Then,
    UnitPlan,
    combine,
    every_day,
)

# The document's JSON as it stands there, with the days that it leaves out by "…" written out.
SCHEDULE_004: dict[str, object] = {
    "operatingDays": every_day(),
    "startTime": "09:00",
    "endTime": "22:00",
    "slotInterval": 60,
    "customHours": {"Saturday": {"enabled": True, "startTime": "10:00", "endTime": "23:00"}},
}

LASER_TAG = ActivityPlan(
    name="Laser tag",
    slug="laser-tag",
    summary="Two teams, one dark maze, an hour of running about. We lend you everything; wear shoes you can run in.",
    schedule=SCHEDULE_004,
    capacity=20,
    units=(
        UnitPlan("Adult", 2400, minimum_age=16, can_accompany=True),
        UnitPlan("Child", 1800, minimum_age=8, maximum_age=15, needs_accompaniment=True),
        UnitPlan("Senior", 1800, minimum_age=65, can_accompany=True),
        UnitPlan("Family of four", 7200, places=4, maximum_count=3),
    ),
    extras=(
        ExtraPlan("Locker", "Fits a rucksack and a helmet.", 400, stock_per_session=12, maximum_per_party=4),
        ExtraPlan("Team photo", "Printed while you return your vests.", 900, maximum_per_party=1),
    ),
    price_rules=(
        {"name": "Weekend", "weekdays": [5, 6], "percent": 20},
        {"name": "Quiet mornings", "weekdays": [0, 1, 2, 3], "to_time": "11:30", "percent": -25, "position": 1},
    ),
    pay_on_arrival=True,
    story=Story(
        parties=(
            {"Adult": 2},
            {"Adult": 1, "Child": 3},
            {"Family of four": 1},
            {"Adult": 5},
            {"Adult": 1, "Senior": 1},
        ),
        places_left=(0, 1, 12, 4, 16, 9, 2, 14),
        every=5,
        holds=((1, 1), (2, 4), (4, 2)),
    ),
)

CLIMBING_WALL = ActivityPlan(
    name="Climbing wall",
    slug="climbing-wall",
    summary="Fourteen metres of wall with routes for first-timers and old hands. A coach shows you the ropes first.",
    schedule={
        "operatingDays": every_day()[1:],
        "startTime": "10:00",
        "endTime": "20:00",
        "slotInterval": 90,
        "duration": 75,
    },
    capacity=12,
    units=(
        UnitPlan("Adult", 3200, minimum_age=16),
        UnitPlan("Child", 2200, minimum_age=6, maximum_age=15),
        UnitPlan("Belayer on the ground", 0, places=0),
    ),
    closes_minutes_before=60,
    story=Story(parties=({"Adult": 2}, {"Adult": 1, "Child": 1}), places_left=(3, 6), every=4, holds=((0, 3), (1, 2))),
)

OPEN_WALL = ActivityPlan(
    name="Open wall day pass",
    slug="open-wall",
    summary="Come when you like, stay as long as you like. For those who can belay; shoes and harness are at the desk.",
    kind="pass",
    schedule={"operatingDays": every_day()[1:], "startTime": "10:00", "endTime": "20:00"},
    capacity=30,
    units=(
        UnitPlan("Adult", 2600, minimum_age=16, can_accompany=True),
        UnitPlan("Child", 1600, minimum_age=6, maximum_age=15, needs_accompaniment=True),
    ),
    extras=(ExtraPlan("Shoes", "Sizes 30 to 48.", 600, stock_per_session=25),),
    closes_minutes_before=120,
    largest_party=8,
    pay_on_arrival=True,
    story=Story(parties=({"Adult": 2}, {"Adult": 1, "Child": 2}), places_left=(11, 22), every=2),
)

BOARD_GAMES = ActivityPlan(
    name="Board game evening",
    slug="board-game-evening",
    summary="Three hundred games on the shelves and somebody to explain the rules. It costs nothing; come as you are.",
    schedule={"operatingDays": ["Thursday"], "startTime": "18:00", "endTime": "22:00", "slotInterval": 240},
    capacity=40,
    units=(UnitPlan("Player", 0),),
    story=Story(parties=({"Player": 4}, {"Player": 2}, {"Player": 5}), places_left=(6, 31), holds=((1, 6),)),
)

LANTERN_YARD = OrganizationPlan(
    name="Lantern Yard",
    slug="lantern-yard",
    currency="AUD",
    venue="Lantern Yard, Marrickville",
    timezone="Australia/Sydney",
    phone="+61 491 570 1{:02}",
    manager="Priya Nair",
    manager_role="manager",
    receptionist="Tom Walker",
    activities=(LASER_TAG, CLIMBING_WALL, OPEN_WALL, BOARD_GAMES),
    visitors=combine(
        "Amelia Jack Chloe Noah Mia Lachlan Ruby Ethan Zoe Cooper",
        "Walker Nguyen Papadopoulos Singh O'Brien Kelly Tran Rossi Harris Lee",
    ),
    changes=(
        ChangePlan("closure", (12, 12), {"reason": "Closed for the yearly safety inspection"}),
        ChangePlan(
            "closure",
            (2, 3),
            {"reason": "The maze is being repainted", "from_time": "09:00", "to_time": "13:00"},
            activity="laser-tag",
        ),
        ChangePlan(
            "opening",
            (15, 15),
            {"reason": "Open day", "from_time": "14:00", "to_time": "18:00"},
            activity="climbing-wall",
        ),
    ),
    money=MoneyPlan(
        promo_codes=(PromoPlan("WELCOME10", percent=10, most_uses=100, note="On the flyers"),),
        vouchers=(
            (10000, "First prize of the school raffle"),
            (5000, "A birthday that the rain washed out"),
            (2500, "For the lost locker key"),
        ),
        purchases=(
            Purchase("climbing-wall", 2, {"Adult": 2}, voucher=0),
            Purchase("laser-tag", 1, {"Adult": 2, "Child": 1}, promo_code="WELCOME10"),
            Purchase("climbing-wall", 5, {"Adult": 2}, then=Then.LATE),
        ),
    ),
)
