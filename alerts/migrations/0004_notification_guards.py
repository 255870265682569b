"""What the database itself refuses of notifications."""

from django.db import migrations

from config.kit.transitions import GuardTransitions


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("alerts", "0003_notifications")]
    operations = [
        GuardTransitions(
            "notification",
            "status",
            initial=["queued"],
            pairs=[
                ("failed", "queued"),
                ("queued", "dropped"),
                ("queued", "failed"),
                ("queued", "sent"),
            ],
        ),
    ]
