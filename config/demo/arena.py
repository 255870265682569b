"""Document 003: an arena on match days, when very many want to come at once."""

from config.demo.plans import (
    ActivityPlan,
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

HOME_MATCH = ActivityPlan(
    name="Home match",
    slug="home-match",
    summary="Riverside under the lights. Gates open ninety minutes before the start; small bags only, please.",
    schedule={
        "operatingDays": ["Wednesday", "Saturday"],
        "startTime": "19:30",
        "endTime": "21:30",
        "slotInterval": 120,
        "capacity": 8000,
        "customHours": {"Saturday": {"enabled": True, "startTime": "15:00", "endTime": "17:00"}},
    },
    capacity=8000,
    units=(
        UnitPlan("Adult", 4500, minimum_age=16),
        UnitPlan("Child", 1500, minimum_age=3, maximum_age=15),
        UnitPlan("Senior", 3000, minimum_age=65),
        UnitPlan("Family of four", 9900, places=4),
        UnitPlan("Infant on a lap", 0, places=0, maximum_age=2),
    ),
    opens_days_before=21,
    story=Story(
        parties=({"Adult": 2, "Child": 2}, {"Family of four": 1}, {"Adult": 2}, {"Senior": 2, "Infant on a lap": 1}),
        places_left=(7970,),
        holds=((0, 4), (0, 2), (1, 6)),
    ),
)

ACADEMY_MATCH = ActivityPlan(
    name="Academy match, paid at the gate",
    slug="academy-match",
    summary="See tomorrow's players on a Sunday noon. Schools and clubs come as a group; the coach park is next door.",
    schedule={
        "operatingDays": ["Sunday"],
        "startTime": "12:00",
        "endTime": "14:00",
        "slotInterval": 120,
        "capacity": 600,
    },
    capacity=600,
    units=(
        UnitPlan("Adult", 800, minimum_age=16),
        UnitPlan("Child", 300, maximum_age=15),
        UnitPlan("Senior", 500, minimum_age=65),
        UnitPlan("Family of four", 1800, places=4),
        UnitPlan("Group of twenty", 10000, places=20),
    ),
    pay_on_arrival=True,
    story=Story(
        parties=({"Group of twenty": 3}, {"Adult": 2, "Child": 2}, {"Group of twenty": 1}, {"Family of four": 1}),
        places_left=(0, 9, 410),
        holds=((1, 4), (2, 40)),
    ),
)

STADIUM_TOUR = ActivityPlan(
    name="Stadium tour",
    slug="stadium-tour",
    summary="Through the dressing rooms, up the tunnel and onto the grass, with somebody who knows every story.",
    schedule={"operatingDays": every_day(), "startTime": "10:00", "endTime": "16:00", "slotInterval": 60},
    capacity=25,
    units=(
        UnitPlan("Adult", 2000, minimum_age=16),
        UnitPlan("Child", 1200, maximum_age=15),
        UnitPlan("Senior", 1500, minimum_age=65),
    ),
    pay_on_arrival=True,
    closes_minutes_before=30,
    story=Story(
        parties=({"Adult": 2, "Child": 1}, {"Senior": 2}, {"Adult": 4, "Child": 2}),
        places_left=(0, 3, 18),
        every=4,
        holds=((2, 3),),
    ),
)

RIVERSIDE_ARENA = OrganizationPlan(
    name="Riverside Arena",
    slug="riverside-arena",
    currency="USD",
    venue="Riverside Arena, Hoboken side",
    timezone="America/New_York",
    phone="+1 212 555 01{:02}",
    manager="Marcus Bell",
    manager_role="manager",
    receptionist="Dana Ortiz",
    activities=(HOME_MATCH, ACADEMY_MATCH, STADIUM_TOUR),
    visitors=combine(
        "Emma Liam Olivia Mason Ava Carlos Sofia Tyler Grace Jamal",
        "Johnson Rivera Cohen Washington Kim Ortiz Murphy Patel Brooks Russo",
    ),
    money=MoneyPlan(
        promo_codes=(PromoPlan("MATCHDAY5", amount_minor=500, note="Five dollars off a booking, from the radio"),),
        purchases=(
            Purchase("home-match", 0, {"Family of four": 1}, promo_code="MATCHDAY5"),
            Purchase("home-match", 0, {"Adult": 2}, then=Then.DISPUTED),
        ),
    ),
)
