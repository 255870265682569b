"""The demo's four organizations: other trades, other zones, other currencies."""

from config.demo.activity_venue import LANTERN_YARD
from config.demo.arena import RIVERSIDE_ARENA
from config.demo.first_aid import BEACON_FIRST_AID
from config.demo.ski_school import SILBERHORN

ORGANIZATIONS = (LANTERN_YARD, BEACON_FIRST_AID, SILBERHORN, RIVERSIDE_ARENA)
