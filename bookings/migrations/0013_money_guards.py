"""What the database itself refuses of promo codes, and of bookings that are confirmed without their money."""

from django.db import migrations

from config.kit.tenant_keys import AddTenantKey

# Who pays online has paid, at least the deposit, when it is confirmed: asked at the commit, by the database itself.
REQUIRE_MONEY = """
CREATE FUNCTION bookings_require_money() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE paid bigint;
BEGIN
    SELECT coalesce(sum(amount_minor), 0) INTO paid FROM payments_payment
        WHERE reference = NEW.id AND status = 'succeeded' AND currency = NEW.currency;
    IF paid < least(coalesce(NEW.deposit_minor, NEW.total_minor), NEW.total_minor) THEN
        RAISE EXCEPTION 'booking % is confirmed with % of %', NEW.id, paid, NEW.total_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'booking_confirmed_is_paid';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER booking_confirmed_is_paid AFTER UPDATE OF status ON bookings_booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status = 'confirmed' AND NEW.payment_method = 'online')
    EXECUTE FUNCTION bookings_require_money();
"""

# No paid intent ends as neither: money that is settled for a booking makes it confirmed, or is on its way back. Asked
# at the commit, of what the booking owes by then: nothing once it has expired, else its total.
REQUIRE_EFFECT = """
CREATE FUNCTION bookings_require_effect() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE b bookings_booking; has bigint; owes bigint;
BEGIN
    SELECT * INTO b FROM bookings_booking WHERE id = NEW.reference;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(p.amount_minor), 0)
            - coalesce(sum((SELECT sum(r.amount_minor) FROM payments_refund r WHERE r.payment_id = p.id)), 0)
            - coalesce(sum((SELECT sum(d.amount_minor) FROM payments_dispute d
                WHERE d.payment_id = p.id AND d.is_withdrawn AND d.status <> 'won')), 0)
        INTO has FROM payments_payment p WHERE p.reference = b.id AND p.status = 'succeeded';
    owes := CASE b.status WHEN 'expired' THEN 0 ELSE b.total_minor END;
    IF has > owes OR b.status = 'pending' AND has >= least(coalesce(b.deposit_minor, owes), owes) THEN
        RAISE EXCEPTION 'booking % is %, owes % and has %', b.id, b.status, owes, has
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_has_its_effect';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payment_has_its_effect AFTER UPDATE OF status ON payments_payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'succeeded' AND OLD.status <> 'succeeded')
    EXECUTE FUNCTION bookings_require_effect();
"""


class Migration(migrations.Migration):
    dependencies = [("bookings", "0012_money"), ("payments", "0002_guards"), ("scheduling", "0008_deposits")]
    operations = [
        AddTenantKey("promoactivity", "promo_code"),
        AddTenantKey("promoactivity", "activity"),
        AddTenantKey("promouse", "promo_code"),
        AddTenantKey("promouse", "booking"),
        AddTenantKey("promouse", "customer"),
        migrations.RunSQL(REQUIRE_MONEY, "DROP FUNCTION bookings_require_money() CASCADE"),
        migrations.RunSQL(REQUIRE_EFFECT, "DROP FUNCTION bookings_require_effect() CASCADE"),
    ]
