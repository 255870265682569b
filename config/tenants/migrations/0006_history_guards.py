"""What happened to an organization stays as it was written, in a chain."""

from django.db import migrations

from config.kit.facts import ChainFacts
from config.kit.tenant_keys import AddTenantKey


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("tenants", "0005_history")]
    operations = [
        AddTenantKey("organizationeventdetail", "event"),
        ChainFacts("organizationevent", subject="organization"),
    ]
