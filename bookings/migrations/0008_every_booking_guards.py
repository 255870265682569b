"""What the database itself refuses of waiting parties and their facts."""

from django.db import migrations

from config.kit.facts import ChainFacts
from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions


class Migration(migrations.Migration):
    dependencies = [("bookings", "0007_every_booking"), ("scheduling", "0006_terms_and_feeds")]
    operations = [
        AddTenantKey("waitlistentry", "activity"),
        AddTenantKey("waitlistentry", "reservation"),
        AddTenantKey("waitlistentry", "booking"),
        AddTenantKey("waitlistchoice", "entry"),
        AddTenantKey("waitlistchoice", "session"),
        AddTenantKey("waitlistevent", "entry"),
        AddTenantKey("waitlisteventdetail", "event"),
        GuardTransitions(
            "waitlistentry",
            "status",
            initial=["waiting"],
            pairs=[
                ("offered", "converted"),
                ("offered", "lapsed"),
                ("offered", "left"),
                ("waiting", "lapsed"),
                ("waiting", "left"),
                ("waiting", "offered"),
            ],
        ),
        ChainFacts("waitlistevent", subject="entry"),
    ]
