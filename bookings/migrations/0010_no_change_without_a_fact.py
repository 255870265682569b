"""A booking's status does not change without the fact that says so: asked at the commit, by the database itself."""

from django.db import migrations

REQUIRE_FACT = """
CREATE FUNCTION bookings_require_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM bookings_bookingevent e WHERE e.booking_id = NEW.id AND e.from_status = OLD.status
            AND e.to_status = NEW.status AND e.at >= transaction_timestamp()) THEN
        RAISE EXCEPTION 'booking % went from % to % without a fact', NEW.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'booking_status_has_a_fact';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER booking_status_has_a_fact AFTER UPDATE OF status ON bookings_booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION bookings_require_fact();
"""


class Migration(migrations.Migration):
    dependencies = [("bookings", "0009_who_left")]
    operations = [migrations.RunSQL(REQUIRE_FACT, "DROP FUNCTION bookings_require_fact() CASCADE")]
