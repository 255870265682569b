"""Mail through a provider: one connection for many messages, and plain words for what can go wrong.

What matters to delivery is whether a message may have been accepted: `Refused` says surely not, `Unanswered` says that
nobody knows. Only a provider with idempotency keys (Resend, and our sandbox) makes a repeat harmless.
"""

import smtplib
import socket
from dataclasses import dataclass
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import formataddr, parseaddr, parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from anymail.backends.resend import EmailBackend as ResendBackend
from anymail.backends.resend import ResendPayload
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailSerializationError
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from environ import Env
from requests.exceptions import ConnectionError as ConnectionFailed
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import NewConnectionError

from config.kit.clock import database_now

TOO_MANY, CONFLICT, SERVER_FAULT, UNAVAILABLE = 429, 409, 500, 503
DEFAULT_WAIT_SECONDS = 30
KEY = "notification"  # of a message's metadata: what makes a second sending the same one
END_OF_FILE = "END:VCALENDAR"


class Refused(Exception):
    """The provider has surely not taken it. Final: it never will. `wait_seconds`: it asked us to pause."""

    def __init__(self, why: str, *, is_final: bool = False, is_down: bool = False, wait_seconds: float | None = None):
        super().__init__(why)
        self.is_final, self.is_down, self.wait_seconds = is_final, is_down, wait_seconds


class Unanswered(Exception):
    """The provider may have taken it, or not."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it goes out; `key` is the notification's id, the same at every try."""

    key: str
    sender: str  # the organization's name, before our address
    recipient: str
    title: str
    text: str
    html: str
    calendar: str


class KeyedResend(ResendBackend):  # type: ignore[misc]  # anymail has no types
    """Anymail's backend for Resend, with the key by which Resend knows a repeat for 24 hours."""

    def build_message_payload(self, message: Any, defaults: Any) -> Any:
        """Add the API's own header; anymail knows none of it."""
        return ResendPayload(message, defaults, self, headers={"Idempotency-Key": message.metadata[KEY]})


class Mailer:
    """A provider, opened at the first message and kept open for the next."""

    def __init__(self, name: str, url: str) -> None:
        """Remember where it is; nothing is opened yet."""
        self.name, self._url = name, url
        self._connection: BaseEmailBackend | None = None
        self.is_down = False  # found so in this run: nobody asks it again

    def send(self, mail: Mail) -> str:
        """Hand a message over and return the provider's name for it, or raise Refused or Unanswered."""
        message = _message(mail)
        try:
            self._open().send_messages([message])
        except Exception as error:
            raise _classified(error) from error
        status = getattr(message, "anymail_status", None)
        return str(getattr(status, "message_id", "") or "")

    def close(self) -> None:
        """Close what was opened."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> BaseEmailBackend:
        if self._connection is None:
            connection = connect(self._url)
            connection.open()
            self._connection = connection
        return self._connection


def mailers() -> list[Mailer]:
    """Return the providers in order: the first, and the one to go to when it is down."""
    pairs = (("primary", settings.MAIL_URL), ("secondary", settings.MAIL_FALLBACK_URL))
    return [Mailer(name, url) for name, url in pairs if url]


def connect(url: str) -> BaseEmailBackend:
    """Return the backend that an address means: resend://KEY@host, smtp+tls://…, or anymail:postmark and its like."""
    parts = urlsplit(url)
    kind, _, scheme = parts.scheme.partition("+")
    if kind == "resend":
        place = f"{scheme or 'https'}://{parts.netloc.rpartition('@')[2]}/"
        backend: BaseEmailBackend = KeyedResend(api_key=unquote(parts.username or ""), api_url=place)
        return backend
    if kind == "anymail":
        named: BaseEmailBackend = get_connection(f"anymail.backends.{parts.path}.EmailBackend")
        return named
    found = Env.email_url_config(url)
    plain: BaseEmailBackend = get_connection(
        found["EMAIL_BACKEND"], host=found["EMAIL_HOST"], port=found["EMAIL_PORT"],
        username=found["EMAIL_HOST_USER"], password=found["EMAIL_HOST_PASSWORD"],
        use_tls=found.get("EMAIL_USE_TLS", False), use_ssl=found.get("EMAIL_USE_SSL", False),
        timeout=settings.MAIL_TIMEOUT_SECONDS,
    )  # fmt: skip
    return plain


def calendar_files(calendar: str) -> list[str]:
    """Return the calendar files that stand one after the other in a text."""
    return [f"{part.lstrip()}{END_OF_FILE}\r\n" for part in calendar.split(END_OF_FILE) if part.strip()]


def _message(mail: Mail) -> EmailMultiAlternatives:
    address = parseaddr(settings.MAIL_FROM)[1]
    message = EmailMultiAlternatives(
        mail.title, mail.text, formataddr((mail.sender, address)), [mail.recipient],
        headers={"Message-ID": f"<{mail.key}@{address.rpartition('@')[2]}>"},
    )  # fmt: skip
    message.attach_alternative(mail.html, "text/html")
    message.metadata = {KEY: mail.key}  # type: ignore[attr-defined]  # anymail's own
    for number, text in enumerate(calendar_files(mail.calendar), start=1):
        message.attach(_calendar_part(text, f"booking-{number}.ics"))
    return message


def _calendar_part(text: str, name: str) -> MIMENonMultipart:
    """Return an attachment that calendars take as an invitation: its method stands in the type, too."""
    method = "CANCEL" if "METHOD:CANCEL" in text else "REQUEST"
    part = MIMENonMultipart("text", "calendar", method=method, charset="utf-8")
    part.set_payload(text, "utf-8")
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def _classified(error: Exception) -> Exception:
    """Return what an error means for delivery."""
    if isinstance(error, (AnymailSerializationError, AnymailError)) and not isinstance(error, AnymailAPIError):
        return Refused(str(error), is_final=True)
    status = getattr(error, "status_code", None)
    if status is not None:
        return _answered(int(status), error)
    if isinstance(error, smtplib.SMTPException):
        return _smtp(error)
    if _never_connected(error):
        return Refused(f"no connection: {type(error).__name__}", is_down=True)
    return Unanswered(type(error).__name__)


def _answered(status: int, error: Exception) -> Exception:
    if status == TOO_MANY:
        return Refused("429: too many at once", wait_seconds=_wait_seconds(error))
    if status == UNAVAILABLE:
        return Refused("503: the provider is away", is_down=True)
    if status == CONFLICT or status >= SERVER_FAULT:  # it is still at work on the same key, or fell over it
        return Unanswered(f"{status}")
    return Refused(f"{status}: {_words_of(error)}", is_final=status not in (401, 403))


def _wait_seconds(error: Exception) -> float:
    """Return how long the provider asks us to wait: in seconds, or until a date (RFC 9110, 10.2.3)."""
    asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        return max((parsedate_to_datetime(asked) - database_now()).total_seconds(), 0.0)
    except ValueError:
        return DEFAULT_WAIT_SECONDS


def _words_of(error: Exception) -> str:
    """Return what the provider said, without addresses: staff read it, and logs keep it."""
    response = getattr(error, "response", None)
    try:
        return str(response.json()["name"]) if response is not None else ""
    except (ValueError, KeyError, TypeError):
        return "it gave no reason"


def _smtp(error: smtplib.SMTPException) -> Exception:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return Refused(f"{codes[0]}: the address was refused", is_final=all(code >= SERVER_FAULT for code in codes))
    if isinstance(error, smtplib.SMTPConnectError):
        return Refused(f"{error.smtp_code}: no connection", is_down=True)
    if isinstance(error, smtplib.SMTPResponseException):
        return Refused(f"{error.smtp_code}: the server refused")
    return Unanswered(type(error).__name__)


def _never_connected(error: BaseException) -> bool:
    """Did it fail before a word was said?"""
    if isinstance(error, (ConnectTimeout, ConnectionRefusedError, socket.gaierror)):
        return True
    if isinstance(error, ConnectionFailed):
        found: BaseException | None = error
        while found is not None:
            reason = getattr(found, "reason", None) or (found.args[0] if found.args else None)
            if any(isinstance(getattr(each, "reason", each), NewConnectionError) for each in (found, reason)):
                return True
            found = found.__cause__ or found.__context__
    return False
