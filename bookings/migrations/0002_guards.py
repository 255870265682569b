"""What the database itself refuses: rows of another organization, illegal transitions, and rewritten facts."""

from django.db import migrations

from config.kit.facts import ChainFacts
from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("bookings", "0001_initial"), ("scheduling", "0002_guards")]
    operations = [
        AddTenantKey("participant", "customer"),
        AddTenantKey("booking", "customer"),
        AddTenantKey("line", "booking"),
        AddTenantKey("line", "session"),
        AddTenantKey("line", "reservation"),
        AddTenantKey("lineparticipant", "line"),
        AddTenantKey("lineparticipant", "participant"),
        AddTenantKey("bookingevent", "booking"),
        AddTenantKey("bookingeventdetail", "event"),
        GuardTransitions(
            "booking",
            "status",
            initial=["pending"],
            pairs=[
                ("confirmed", "cancelled"),
                ("expired", "confirmed"),
                ("pending", "cancelled"),
                ("pending", "confirmed"),
                ("pending", "expired"),
            ],
        ),
        GuardTransitions("line", "status", initial=["live"], pairs=[("live", "cancelled")]),
        GuardTransitions(
            "line",
            "attendance",
            initial=["expected"],
            pairs=[
                ("arrived", "completed"),
                ("arrived", "expected"),
                ("completed", "arrived"),
                ("completed", "no_show"),
                ("expected", "arrived"),
                ("expected", "completed"),
                ("expected", "no_show"),
                ("no_show", "arrived"),
                ("no_show", "completed"),
            ],
        ),
        ChainFacts("bookingevent", subject="booking"),
    ]
