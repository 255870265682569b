from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # so that facts can be written meanwhile

    dependencies = [("scheduling", "0006_terms_and_feeds")]
    operations = [
        AddIndexConcurrently(
            model_name="scheduleevent",
            index=models.Index(fields=["kind", "id"], name="schedule_event_by_kind"),
        ),
    ]
