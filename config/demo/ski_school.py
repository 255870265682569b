"""Document 001: a ski school, with groups and private lessons; here one place of a private lesson is one instructor."""

from config.demo.plans import (
    ActivityPlan,
    MoneyPlan,
    OrganizationPlan,
    Purchase,
    Story,
    Then,
    UnitPlan,
    combine,
    every_day,
)

CHILDRENS_GROUP = ActivityPlan(
    name="Children's ski group",
    slug="childrens-ski-group",
    summary="Two hours in the snow garden with others of the same level. Hot chocolate is part of every lesson.",
    schedule={
        "operatingDays": every_day(),
        "startTime": "10:00",
        "endTime": "15:30",
        "slotInterval": 210,
        "duration": 120,
    },
    capacity=24,
    kind="collective",
    units=(
        UnitPlan("Child", 6500, minimum_age=4, maximum_age=12),
        UnitPlan("Teenager", 7000, minimum_age=13, maximum_age=17),
        UnitPlan("Three children of a family", 16500, places=3),
    ),
    pay_on_arrival=True,
    names_people=True,
    story=Story(
        parties=({"Child": 2}, {"Three children of a family": 1}, {"Child": 1, "Teenager": 1}, {"Child": 1}),
        places_left=(0, 2, 15, 20),
        every=3,
        holds=((1, 2), (2, 1)),
        series=5,
    ),
)

ADULT_BEGINNERS = ActivityPlan(
    name="Adult beginners' group",
    slug="adult-beginners-group",
    summary="Never stood on skis? Three easy hours, a patient instructor and the gentlest slope of the valley.",
    schedule={"operatingDays": every_day(), "startTime": "10:00", "endTime": "13:00", "slotInterval": 180},
    capacity=10,
    kind="collective",
    units=(UnitPlan("Adult", 9000, minimum_age=16), UnitPlan("Senior", 7500, minimum_age=64)),
    closes_minutes_before=60,
    currency="EUR",  # most of them come from across the border
    story=Story(parties=({"Adult": 2}, {"Adult": 1, "Senior": 1}), places_left=(2, 5), holds=((0, 2), (3, 3))),
)

PRIVATE_LESSON = ActivityPlan(
    name="Private lesson",
    slug="private-lesson",
    summary="An hour with an instructor of your own, at your pace and where you like to ski.",
    schedule={"operatingDays": every_day(), "startTime": "09:00", "endTime": "17:00", "slotInterval": 60},
    capacity=6,
    kind="private",
    units=(UnitPlan("Lesson for one or two", 9500), UnitPlan("Lesson for three to five", 13500)),
    pay_on_arrival=True,
    closes_minutes_before=120,
    story=Story(
        parties=({"Lesson for one or two": 1}, {"Lesson for three to five": 1}),
        places_left=(0, 1, 3, 5, 2),
        every=3,
        holds=((2, 1),),
    ),
)

RACE_CAMP = ActivityPlan(
    name="Easter race camp",
    slug="easter-race-camp",
    summary="Gates, video and a real race on the last day. We are still working on the dates.",
    schedule={"operatingDays": ["Saturday"], "startTime": "09:00", "endTime": "15:00", "slotInterval": 360},
    capacity=16,
    kind="collective",
    status="draft",
    units=(UnitPlan("Racer", 14000, minimum_age=8),),
    story=Story(parties=()),
)

SILBERHORN = OrganizationPlan(
    name="Silberhorn Ski School",
    slug="silberhorn-ski-school",
    currency="CHF",
    venue="Silberhorn snow garden, Wengen",
    timezone="Europe/Zurich",
    phone="",
    manager="Urs Gerber",
    manager_role="manager",
    receptionist="Jonas Huber",
    activities=(CHILDRENS_GROUP, ADULT_BEGINNERS, PRIVATE_LESSON, RACE_CAMP),
    visitors=combine(
        "Lena Luca Elena Matteo Sophie Jonas Camille Nico Anouk Tim",
        "Baumann Rossi Keller Favre Steiner Meier Dubois Brunner Huber Weber",
    ),
    other_currencies=("EUR",),
    money=MoneyPlan(
        purchases=(
            Purchase("adult-beginners-group", 8, {"Adult": 2}, then=Then.REFUND_FAILED),
            Purchase("private-lesson", 3, {"Lesson for one or two": 1}),
        ),
    ),
)
