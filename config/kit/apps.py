"""Kit: small tools without a domain."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from config.kit.privileges import grant_privileges


class KitConfig(AppConfig):
    name = "config.kit"
    label = "kit"

    def ready(self) -> None:
        """Say who may do what to which table after every migration."""
        post_migrate.connect(grant_privileges, sender=self)
