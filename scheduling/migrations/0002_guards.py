"""What the database itself refuses: rows of another organization, and illegal transitions."""

from django.db import migrations

from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("scheduling", "0001_initial")]
    operations = [
        AddTenantKey("activity", "venue"),
        AddTenantKey("unit", "activity"),
        AddTenantKey("scheduleversion", "activity"),
        AddTenantKey("session", "activity"),
        AddTenantKey("session", "schedule"),
        AddTenantKey("reservation", "session"),
        GuardTransitions(
            "activity",
            "status",
            initial=["draft", "published"],
            pairs=[
                ("discontinued", "published"),
                ("draft", "discontinued"),
                ("draft", "published"),
                ("published", "discontinued"),
                ("published", "draft"),
            ],
        ),
        GuardTransitions(
            "session",
            "status",
            initial=["closed", "published"],
            pairs=[
                ("closed", "cancelled"),
                ("closed", "completed"),
                ("closed", "published"),
                ("published", "cancelled"),
                ("published", "closed"),
                ("published", "completed"),
                ("published", "withdrawn"),
                ("withdrawn", "published"),
            ],
        ),
        GuardTransitions(
            "reservation",
            "status",
            initial=["held"],
            pairs=[
                ("confirmed", "released"),
                ("held", "confirmed"),
                ("held", "expired"),
                ("held", "released"),
            ],
        ),
    ]
