"""One live line per reservation, in place of one line; made beside the traffic, before the old key goes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("bookings", "0010_no_change_without_a_fact")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY line_reservation_once ON bookings_line (reservation_id)"
                    " WHERE status = 'live'",
                    "DROP INDEX CONCURRENTLY line_reservation_once",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="line",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("status", "live")), fields=("reservation",), name="line_reservation_once"
                    ),
                )
            ],
        )
    ]
