"""Tenants: who owns and who may act."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "config.tenants"
    label = "tenants"
