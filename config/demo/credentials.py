"""The demo's staff login; known to everybody, so it opens nothing unless DEMO or DEBUG is on."""

STAFF_EMAIL = "staff@holdfast.example"
STAFF_PASSWORD = "hold-these-places"  # noqa: S105 meant to be shown
