"""docs/walks.md, which holds the shapes of the walks between marks."""

import re
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "docs" / "walks.md"
COMMAND = "bin/trace --write"


def written(document: str, name: str, shape: str) -> str:
    """Return the document with this shape between its marks, or raise LookupError when they are not there."""
    found, count = re.subn(
        rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)",
        lambda marks: f"{marks[1]}\n```text\n{shape}\n```\n\n{marks[2]}",
        document,
        flags=re.DOTALL,
    )
    if count != 1:
        raise LookupError(f"docs/walks.md has no marks for {name}")
    return found
