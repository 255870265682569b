from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # so that bookings can be made meanwhile

    dependencies = [("bookings", "0013_money_guards")]
    operations = [
        AddIndexConcurrently(
            model_name="booking",
            index=models.Index(
                condition=models.Q(("balance_due_at__isnull", False)), fields=["balance_due_at"],
                name="booking_by_balance",
            ),
        ),
    ]
