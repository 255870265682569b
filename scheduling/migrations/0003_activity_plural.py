from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0002_guards")]

    operations = [migrations.AlterModelOptions(name="activity", options={"verbose_name_plural": "activities"})]
