"""Customers of an organization: one for each address, found or made when something is booked."""

from uuid import UUID

from django.db import connection

from bookings.models import Customer, Participant
from bookings.orders import Contact, Person
from config.kit.clock import database_now

TRIES = 3
# Keeps an erasure away until this transaction ends, and nobody else; read anew after the wait for one.
KEEP = "SELECT id FROM bookings_customer WHERE id = %s AND erased_at IS NULL FOR KEY SHARE"


def customer_of(organization_id: UUID, contact: Contact) -> Customer:
    """Return the organization's customer with this address; what a stranger types changes no known record.

    No erasure touches it before this transaction ends.
    Whoever is just being erased is not the one: the address begins anew, with nothing of what was.
    """
    known = {"organization_id": organization_id, "email": contact.email.strip().lower()}
    new = {"name": contact.name, "phone": contact.phone}
    for _ in range(TRIES):
        customer, is_new = Customer.objects.get_or_create(**known, defaults=new)
        if is_new or _keep(customer):
            break
    return customer


def _keep(customer: Customer) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [customer.id])
        return cursor.fetchone() is not None


def new_participant(customer: Customer, person: Person) -> Participant:
    """Return somebody new who comes with a customer, not yet written; consent has the moment at which it was given."""
    consent_by = person.consent_by.strip()
    return Participant(
        organization_id=customer.organization_id, customer=customer, name=person.name, birth_date=person.birth_date,
        level=person.level, languages=list(person.languages), notes=person.notes, consent_by=consent_by,
        consent_at=database_now() if consent_by else None,
    )  # fmt: skip
