"""A line says whom it is for, and which line it repeats on purpose."""

import django.db.models.deletion
from django.db import migrations, models

from config.kit.tenant_keys import AddTenantKey


class Migration(migrations.Migration):
    dependencies = [("bookings", "0002_guards")]
    operations = [
        migrations.AddField(
            model_name="line",
            name="duplicate_key",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="line",
            name="duplicate_override_of",
            field=models.ForeignKey(
                blank=True, db_constraint=False, db_index=False, null=True,
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="bookings.line",
            ),
        ),
        AddTenantKey("line", "duplicate_override_of"),
    ]
