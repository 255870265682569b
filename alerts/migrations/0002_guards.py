"""What the database itself refuses: a key of another organization, and illegal transitions."""

from django.db import migrations

from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("alerts", "0001_initial")]
    operations = [
        AddTenantKey("alert", "acknowledged_by_key"),
        GuardTransitions(
            "alert",
            "status",
            initial=["unread"],
            pairs=[("acknowledged", "resolved"), ("unread", "acknowledged")],
        ),
    ]
