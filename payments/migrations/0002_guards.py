"""What the database itself refuses: rows of another organization, illegal steps, too much back, one-sided entries."""

from django.db import migrations

from config.kit.facts import ChainFacts
from config.kit.tenant_keys import AddTenantKey
from config.kit.transitions import GuardTransitions

# A payment's refunds that are not given up stay within it, and only what was settled is refunded. The payment's lock
# keeps two writers apart; the sum is read in a statement of its own, after the wait.
REFUNDS_WITHIN = """
CREATE FUNCTION payments_refunds_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE paid payments_payment; back bigint;
BEGIN
    SELECT * INTO paid FROM payments_payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    SELECT coalesce(sum(amount_minor), 0) INTO back FROM payments_refund
        WHERE payment_id = NEW.payment_id AND status <> 'failed';
    IF NEW.status <> 'failed' AND (paid.status <> 'succeeded' OR paid.currency <> NEW.currency) THEN
        RAISE EXCEPTION 'payment % is %, in %', paid.id, paid.status, paid.currency
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_of_a_settled_payment';
    END IF;
    IF back > paid.amount_minor THEN
        RAISE EXCEPTION 'refunds of % are % of %', paid.id, back, paid.amount_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_payment';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refunds_within_payment AFTER INSERT OR UPDATE OF status, amount_minor, payment_id ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_refunds_within();
"""
# A succeeded payment stays as it was settled.
SETTLED_STAYS = """
CREATE FUNCTION payments_settled_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment % is settled: its amount, currency and purpose stay', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_settled_stays';
END $$;
CREATE TRIGGER payment_settled_stays BEFORE UPDATE ON payments_payment FOR EACH ROW
    WHEN (OLD.status = 'succeeded' AND (NEW.amount_minor, NEW.currency, NEW.reference, NEW.provider, NEW.settled_at)
        IS DISTINCT FROM (OLD.amount_minor, OLD.currency, OLD.reference, OLD.provider, OLD.settled_at))
    EXECUTE FUNCTION payments_settled_stays();
"""
BALANCED = """
CREATE FUNCTION payments_ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE sides int; total bigint;
BEGIN
    SELECT count(*), coalesce(sum(amount_minor), 0) INTO sides, total FROM payments_ledgerentry
        WHERE transaction_id = CASE TG_TABLE_NAME WHEN 'payments_ledgerentry'
            THEN (to_jsonb(NEW) ->> 'transaction_id')::uuid ELSE NEW.id END;
    IF total <> 0 OR sides < 2 THEN
        RAISE EXCEPTION 'a ledger transaction of % sides comes to %', sides, total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON payments_ledgerentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_ledger_balanced();
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON payments_ledgertransaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_ledger_balanced();
"""
FROZEN = "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
APPEND_ONLY = ("payments_ledgertransaction", "payments_ledgerentry", "payments_voucherentry", "payments_reconciliation")


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_functions"), ("payments", "0001_initial")]
    operations = [
        AddTenantKey("payment", "account"),
        AddTenantKey("payment", "voucher"),
        AddTenantKey("refund", "payment"),
        AddTenantKey("dispute", "payment"),
        AddTenantKey("ledgerentry", "transaction"),
        AddTenantKey("providerevent", "account"),
        AddTenantKey("voucherentry", "voucher"),
        AddTenantKey("reconciliation", "account"),
        AddTenantKey("paymentevent", "payment"),
        AddTenantKey("paymenteventdetail", "event"),
        GuardTransitions(
            "payment",
            "status",
            initial=["created"],
            pairs=[
                ("cancelled", "succeeded"),
                ("created", "cancelled"),
                ("created", "failed"),
                ("created", "processing"),
                ("created", "succeeded"),
                ("failed", "succeeded"),
                ("processing", "cancelled"),
                ("processing", "failed"),
                ("processing", "succeeded"),
            ],
        ),
        GuardTransitions(
            "refund",
            "status",
            initial=["requested"],
            pairs=[
                ("failed", "requested"),
                ("failed", "succeeded"),
                ("requested", "failed"),
                ("requested", "submitted"),
                ("requested", "succeeded"),
                ("submitted", "failed"),
                ("submitted", "requested"),
                ("submitted", "succeeded"),
                ("succeeded", "failed"),
                ("succeeded", "requested"),
            ],
        ),
        GuardTransitions("dispute", "status", initial=["open"], pairs=[("open", "lost"), ("open", "won")]),
        ChainFacts("paymentevent", subject="payment"),
        migrations.RunSQL(REFUNDS_WITHIN, "DROP FUNCTION payments_refunds_within() CASCADE"),
        migrations.RunSQL(SETTLED_STAYS, "DROP FUNCTION payments_settled_stays() CASCADE"),
        migrations.RunSQL(BALANCED, "DROP FUNCTION payments_ledger_balanced() CASCADE"),
        *(
            migrations.RunSQL(FROZEN.format(table), f"DROP TRIGGER append_only ON {table}") for table in APPEND_ONLY
        ),
    ]
