"""Document 000: courses in pounds, of which nobody may sell the thirteenth place of twelve."""

from config.demo.plans import (
    ActivityPlan,
    MoneyPlan,
    OrganizationPlan,
    Purchase,
    Story,
    Then,
    UnitPlan,
    combine,
)

EMERGENCY_FIRST_AID = ActivityPlan(
    name="Emergency First Aid at Work",
    slug="emergency-first-aid-at-work",
    summary="One day, small group, lots of practice. You go home with a certificate that is valid for three years.",
    schedule={
        "operatingDays": ["Tuesday", "Thursday", "Saturday"],
        "startTime": "09:30",
        "endTime": "16:30",
        "slotInterval": 420,
        "capacity": 12,
    },
    capacity=12,
    units=(UnitPlan("Participant", 8500, minimum_age=16), UnitPlan("Student or senior", 7000, minimum_age=16)),
    pay_on_arrival=True,
    deposit_percent=30,
    names_people=True,
    story=Story(
        parties=({"Participant": 3}, {"Participant": 1}, {"Participant": 2, "Student or senior": 1}),
        places_left=(0, 1, 2, 7),
        holds=((1, 1), (3, 2)),
        cut=(2, 8),
    ),
)

PAEDIATRIC_FIRST_AID = ActivityPlan(
    name="Paediatric first aid evening",
    slug="paediatric-first-aid-evening",
    summary="For parents, grandparents and childminders: choking, fevers, bumps and burns, in three calm hours.",
    schedule={
        "operatingDays": ["Monday", "Wednesday"],
        "startTime": "18:00",
        "endTime": "21:00",
        "slotInterval": 180,
        "capacity": 12,
    },
    capacity=12,
    units=(UnitPlan("Adult", 4500, minimum_age=16), UnitPlan("Couple", 8000, places=2)),
    closes_minutes_before=120,
    deposit_percent=30,
    names_people=True,
    story=Story(parties=({"Couple": 1}, {"Adult": 1}), places_left=(0, 4), holds=((0, 2), (2, 1))),
)

LEARN_CPR = ActivityPlan(
    name="Learn CPR in an hour",
    slug="learn-cpr-in-an-hour",
    summary="Free for everybody: press, breathe, and use a defibrillator without fear. Children over ten are welcome.",
    schedule={
        "operatingDays": ["Monday", "Saturday"],
        "startTime": "12:00",
        "endTime": "13:00",
        "slotInterval": 60,
        "capacity": 20,
        "customHours": {"Saturday": {"enabled": True, "startTime": "11:00", "endTime": "13:00"}},
    },
    capacity=20,
    units=(UnitPlan("Participant", 0, minimum_age=10),),
    story=Story(parties=({"Participant": 2}, {"Participant": 4}), places_left=(3, 14), holds=((0, 2),)),
)

BEACON_FIRST_AID = OrganizationPlan(
    name="Beacon First Aid Training",
    slug="beacon-first-aid",
    currency="GBP",
    venue="Beacon training room, Bermondsey",
    timezone="Europe/London",
    phone="+44 20 7946 01{:02}",
    manager="Grace Adeyemi",
    manager_role="owner",
    receptionist="Lucy Bennett",
    activities=(EMERGENCY_FIRST_AID, PAEDIATRIC_FIRST_AID, LEARN_CPR),
    visitors=combine(
        "Oliver Aisha Harry Freya Mohammed Isla George Poppy Callum Niamh",
        "Bennett Khan Thompson Evans Ahmed Campbell Wright Morgan Fraser Doyle",
    ),
    money=MoneyPlan(
        purchases=(
            Purchase("emergency-first-aid-at-work", 14, {"Participant": 1}),  # what is left of it is due soon
            Purchase("paediatric-first-aid-evening", 18, {"Couple": 1}),
            Purchase("paediatric-first-aid-evening", 4, {"Adult": 2}, then=Then.REFUNDED_IN_PART),
        ),
    ),
)
