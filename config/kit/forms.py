"""What a form brings along to prove where it was filled in."""

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.html import format_html
from django.utils.safestring import SafeString


def csrf_field(request: HttpRequest) -> SafeString:
    """Return the hidden field of the site's own pages: it must agree with a cookie."""
    return format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request))
