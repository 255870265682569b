"""What the database itself refuses of the work list of a schedule change."""

from django.db import migrations

from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions


class Migration(migrations.Migration):
    dependencies = [("bookings", "0005_affected_lines"), ("scheduling", "0005_timetable_guards")]
    operations = [
        AddTenantKey("affectedline", "change"),
        AddTenantKey("affectedline", "line"),
        GuardTransitions(
            "affectedline",
            "status",
            initial=["open"],
            pairs=[
                ("contacted", "keep"),
                ("contacted", "move"),
                ("contacted", "refund"),
                ("keep", "contacted"),
                ("keep", "move"),
                ("keep", "refund"),
                ("move", "contacted"),
                ("move", "keep"),
                ("move", "refund"),
                ("open", "contacted"),
                ("open", "keep"),
                ("open", "move"),
                ("open", "refund"),
                ("refund", "contacted"),
                ("refund", "keep"),
                ("refund", "move"),
            ],
        ),
    ]
