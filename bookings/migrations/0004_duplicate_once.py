"""One live line per duplicate key, unless a second one is meant; made beside the traffic, without a lock on the table."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("bookings", "0003_duplicates")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY line_duplicate_once ON bookings_line (duplicate_key)"
                    " WHERE duplicate_override_of_id IS NULL AND status = 'live' AND NOT duplicate_key = ''",
                    "DROP INDEX CONCURRENTLY line_duplicate_once",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="line",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(
                            ("duplicate_override_of", None), ("status", "live"),
                            models.Q(("duplicate_key", ""), _negated=True),
                        ),
                        fields=("duplicate_key",),
                        name="line_duplicate_once",
                    ),
                )
            ],
        ),
        AddIndexConcurrently(
            model_name="bookingevent", index=models.Index(fields=["kind", "id"], name="booking_event_by_kind")
        ),
    ]
