"""What the database itself refuses of timetable changes, extras, instructors and resources."""

from django.db import migrations

from config.kit.facts import ChainFacts
from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions

# A trigger's statement sees what was committed before it began, so after the lock it sees every other taker. In a
# transaction that keeps one snapshot it would not, so such a writer is turned away.
FRESH_SNAPSHOT = """IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'what is left is counted under a lock: read committed only'
            USING ERRCODE = 'feature_not_supported';
    END IF;"""

# Stock may have been cut below what is taken: who takes no more than before is let through.
EXTRA_STOCK = f"""
CREATE FUNCTION scheduling_keep_extra_stock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stock integer;
    taken bigint;
    of_session uuid;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.count <= OLD.count AND NEW.extra_id = OLD.extra_id AND NEW.reservation_id = OLD.reservation_id THEN
            RETURN NEW;
        END IF;
    END IF;
    {FRESH_SNAPSHOT}
    SELECT r.session_id INTO of_session FROM scheduling_reservation r WHERE r.id = NEW.reservation_id;
    IF of_session IS NULL THEN
        RAISE EXCEPTION 'the reservation comes first' USING ERRCODE = 'foreign_key_violation';
    END IF;
    PERFORM FROM scheduling_session s WHERE s.id = of_session FOR NO KEY UPDATE;
    SELECT e.stock_per_session INTO stock FROM scheduling_extra e WHERE e.id = NEW.extra_id;
    IF stock IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT coalesce(sum(x.count), 0) INTO taken
        FROM scheduling_reservation r JOIN scheduling_reservationextra x ON x.reservation_id = r.id
        WHERE r.session_id = of_session AND (r.status = 'held' OR r.status = 'confirmed') AND x.extra_id = NEW.extra_id
            AND x.id <> NEW.id;
    IF taken + NEW.count > stock THEN
        RAISE EXCEPTION 'only % of this extra are left', greatest(stock - taken, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'extra_within_stock';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extra_within_stock BEFORE INSERT OR UPDATE ON scheduling_reservationextra
    FOR EACH ROW EXECUTE FUNCTION scheduling_keep_extra_stock();
"""

# The most of a resource that is in use at one moment of `[since, until)`: it can only rise where a use begins. A use
# that takes no more than before is let through; a cut is refused while a moment to come needs more than it leaves.
RESOURCE_QUANTITY = f"""
CREATE FUNCTION scheduling_busiest_moment(
    resource uuid, since timestamptz, until timestamptz, but uuid
) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT max(used) FROM (
        SELECT (SELECT coalesce(sum(u.quantity), 0) FROM scheduling_resourceuse u
            WHERE u.resource_id = resource AND u.status = 'active' AND u.id IS DISTINCT FROM but
                AND u.starts_at <= moment.at AND u.ends_at > moment.at) AS used
        FROM (SELECT since AS at UNION
            SELECT o.starts_at FROM scheduling_resourceuse o
            WHERE o.resource_id = resource AND o.status = 'active' AND o.id IS DISTINCT FROM but
                AND o.starts_at > since AND o.starts_at < until) moment) busy
$$;
CREATE FUNCTION scheduling_keep_resource_quantity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    there integer;
    busiest bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.status = 'active' AND NEW.resource_id = OLD.resource_id AND NEW.quantity <= OLD.quantity
            AND NEW.starts_at >= OLD.starts_at AND NEW.ends_at <= OLD.ends_at THEN
            RETURN NEW;
        END IF;
    END IF;
    {FRESH_SNAPSHOT}
    SELECT r.quantity INTO there FROM scheduling_resource r WHERE r.id = NEW.resource_id FOR NO KEY UPDATE;
    IF there IS NULL THEN
        RAISE EXCEPTION 'the resource comes first' USING ERRCODE = 'foreign_key_violation';
    END IF;
    busiest := scheduling_busiest_moment(NEW.resource_id, NEW.starts_at, NEW.ends_at, NEW.id);
    IF busiest + NEW.quantity > there THEN
        RAISE EXCEPTION 'only % of this resource are free then', greatest(there - busiest, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'resource_within_quantity';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER resource_within_quantity BEFORE INSERT OR UPDATE ON scheduling_resourceuse
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION scheduling_keep_resource_quantity();
CREATE FUNCTION scheduling_keep_resource_in_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    busiest bigint;
BEGIN
    {FRESH_SNAPSHOT}
    busiest := scheduling_busiest_moment(NEW.id, clock_timestamp(), 'infinity', NULL);
    IF busiest > NEW.quantity THEN
        RAISE EXCEPTION '% of this resource are in use at once', busiest
            USING ERRCODE = 'check_violation', CONSTRAINT = 'resource_in_use';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER resource_in_use BEFORE UPDATE OF quantity ON scheduling_resource
    FOR EACH ROW WHEN (NEW.quantity < OLD.quantity) EXECUTE FUNCTION scheduling_keep_resource_in_use();
"""


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("scheduling", "0004_timetable_changes")]
    operations = [
        AddTenantKey("extra", "activity"),
        AddTenantKey("unitprice", "unit"),
        AddTenantKey("unitprice", "schedule"),
        AddTenantKey("unitprice", "session"),
        AddTenantKey("pricerule", "activity"),
        AddTenantKey("pricerule", "unit"),
        AddTenantKey("scheduleexception", "venue"),
        AddTenantKey("scheduleexception", "activity"),
        AddTenantKey("schedulechange", "venue"),
        AddTenantKey("schedulechange", "activity"),
        AddTenantKey("scheduleevent", "activity"),
        AddTenantKey("scheduleeventdetail", "event"),
        AddTenantKey("reservationextra", "reservation"),
        AddTenantKey("reservationextra", "extra"),
        AddTenantKey("instructor", "venue"),
        AddTenantKey("instructorskill", "instructor"),
        AddTenantKey("instructorskill", "activity"),
        AddTenantKey("instructorabsence", "instructor"),
        AddTenantKey("assignment", "instructor"),
        AddTenantKey("assignment", "session"),
        AddTenantKey("lessongroup", "session"),
        AddTenantKey("lessongroup", "assignment"),
        AddTenantKey("resource", "venue"),
        AddTenantKey("resourceuse", "resource"),
        AddTenantKey("resourceuse", "session"),
        GuardTransitions("schedulechange", "status", initial=["rehearsed"], pairs=[("rehearsed", "applied")]),
        GuardTransitions("assignment", "status", initial=["active"], pairs=[("active", "ended")]),
        GuardTransitions("resourceuse", "status", initial=["active"], pairs=[("active", "ended")]),
        ChainFacts("scheduleevent", subject="activity"),
        migrations.RunSQL(
            EXTRA_STOCK,
            "DROP FUNCTION scheduling_keep_extra_stock() CASCADE",
        ),
        migrations.RunSQL(
            RESOURCE_QUANTITY,
            "DROP FUNCTION scheduling_keep_resource_quantity() CASCADE;"
            "DROP FUNCTION scheduling_keep_resource_in_use() CASCADE;"
            "DROP FUNCTION scheduling_busiest_moment(uuid, timestamptz, timestamptz, uuid)",
        ),
    ]
