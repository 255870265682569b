"""What the API answers instead: Stripe's error body, its types, codes and statuses."""

from typing import Any


class Problem(Exception):
    """A refusal: a status, and the error as the client will read it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        decline_code: str = "",
        executed: bool = False,
    ) -> None:
        """Keep the words; `executed` says that the answer belongs to its idempotency key, as a success would."""
        super().__init__(message)
        self.status, self.executed = status, executed
        optional = {"code": code, "param": param, "decline_code": decline_code}
        self.error: dict[str, Any] = {"message": message, "type": kind}
        self.error |= {name: value for name, value in optional.items() if value}
        if code:
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        return {"error": self.error}


def missing(kind: str, object_id: str, param: str = "id") -> Problem:
    """Return the answer to an id that is none of this account's."""
    return Problem(f"No such {kind.replace('.', ' ')}: '{object_id}'", status=404, code="resource_missing", param=param)


def bad(param: str, message: str, code: str = "parameter_invalid") -> Problem:
    """Return the answer to a parameter that cannot be used."""
    return Problem(message, code=code, param=param)
