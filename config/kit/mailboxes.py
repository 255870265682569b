"""Which addresses are one mailbox."""

DOTLESS = frozenset({"gmail.com", "googlemail.com"})  # one mailbox, however many dots its owner types


def normalised(email: str) -> str:
    """Return an address as one mailbox knows it: small letters, without spaces around it and without a plus-tag."""
    name, _, host = email.strip().lower().rpartition("@")
    name = name.partition("+")[0] or name
    return f"{name.replace('.', '')}@gmail.com" if host in DOTLESS else f"{name}@{host}"
