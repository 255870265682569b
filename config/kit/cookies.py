"""The cookies of customers' pages: each is sent to the pages that it opens alone, and no script reads it."""

from django.http import HttpRequest, HttpResponse


def give_cookie(
    request: HttpRequest, response: HttpResponse, *, name: str, value: str, path: str, seconds: int
) -> HttpResponse:
    """Let the browser send a value back to the pages under a path, for so many seconds."""
    response.set_cookie(
        name, value, max_age=seconds, path=path, secure=request.is_secure(), httponly=True, samesite="Lax"
    )
    return response
