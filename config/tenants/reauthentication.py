"""The password once more, before money leaves: whoever finds a desk unlocked cannot send it away.

It holds for five minutes of this session. Wrong ones are counted in the admin's own log, under the person's lock, so
that neither a new session nor many requests at once give more tries.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpRequest

from config.kit.clock import database_now
from config.kit.refusals import FieldError, Refusal, invalid
from config.tenants.models import User

FRESH = timedelta(minutes=5)
MOST_WRONG, COUNTED = 5, timedelta(minutes=15)
GIVEN_AT = "password_given_at"  # in the session: seconds, by the database's clock
WRONG = "A wrong password was given to confirm something"
FIELD = "password"


class PasswordWrong(Refusal):
    """It is not the password of whoever is signed in; nothing was done."""

    code, title, status = "password_wrong", "That is not your password", 403


class TooManyPasswords(Refusal):
    """So many wrong ones that not even the right one counts for a while."""

    code, title, status = "too_many_passwords", "Too many wrong passwords: wait a quarter of an hour", 429


def is_fresh(request: HttpRequest) -> bool:
    """Was the password given in this session, at most five minutes ago?"""
    given_at = request.session.get(GIVEN_AT)
    return isinstance(given_at, float) and 0 <= database_now().timestamp() - given_at < FRESH.total_seconds()


def require_password(request: HttpRequest, password: str) -> None:
    """Take the signed-in person's password as proof that it is them; outside any transaction that may be undone.

    Refuses with PasswordWrong, TooManyPasswords, and no password at its field. One that is fresh is not asked again.
    """
    if is_fresh(request):
        return
    if not password:
        raise invalid(FIELD, "required", "Give your password: this moves money.")
    if not _is_right(_signed_in(request), password):
        raise PasswordWrong(errors=[FieldError(FIELD, PasswordWrong.code, "That is not your password.")])
    request.session[GIVEN_AT] = database_now().timestamp()


def _signed_in(request: HttpRequest) -> UUID:
    """Return who asks; the admin lets nobody come here who is not signed in."""
    user: Any = request.user
    user_id: UUID = user.pk
    return user_id


def _lock(user_id: UUID) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=user_id)


@transaction.atomic
def _is_right(user_id: UUID, password: str) -> bool:
    """Try it, one after another for each person; write down what was wrong."""
    user = _lock(user_id)
    now = database_now()
    wrong = LogEntry.objects.filter(user=user, change_message=WRONG, action_time__gt=now - COUNTED)
    if wrong.count() >= MOST_WRONG:
        raise TooManyPasswords(errors=[FieldError(FIELD, TooManyPasswords.code, TooManyPasswords.title)])
    if user.check_password(password):
        return True
    LogEntry.objects.create(
        user=user, content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk),
        object_repr=user.email, action_flag=CHANGE, change_message=WRONG, action_time=now,
    )  # fmt: skip
    return False
