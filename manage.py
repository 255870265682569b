#!/usr/bin/env python3
"""Django's command line. `bin/manage` is this with the running embedded servers found by itself."""

import os
import sys
from importlib import import_module

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import_module("config.celery")  # so that tasks asked for in here reach the broker of the settings
    execute_from_command_line(sys.argv)
