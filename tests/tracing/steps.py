"""What a request did: steps within steps, as they are recorded and as they are printed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Shape = tuple[Any, ...]


@dataclass(slots=True)
class Step:
    """A function of ours, a statement, a fact, a signal, a message: its words, its place, and what it led to."""

    words: str
    file: str = ""  # of a function, from the project's folder
    line: int = 0
    notes: list[str] = field(default_factory=list)  # the same in every run
    figures: list[str] = field(default_factory=list)  # another in every run: milliseconds, ids
    steps: list["Step"] = field(default_factory=list)
    times: int = 1


@dataclass(frozen=True, slots=True)
class Walk:
    """A whole life: what was asked, what was answered, what happened in the request and beside it."""

    title: str
    answer: str
    milliseconds: float
    request: Step
    beside: dict[str, Step]  # by the name of the thread


def folded(steps: list[Step]) -> list[Step]:
    """Return the steps with equal ones, functions that reached nothing but functions, as one."""
    found: dict[Shape, Step] = {}
    for place, step in enumerate(steps):
        shape = _shape(step) or (str(place),)
        if shape in found:
            found[shape].times += step.times
        else:
            found[shape] = replace(step)
    return list(found.values())


def _shape(step: Step) -> Shape:
    """Return what makes it equal to another; nothing for what is told each time: a statement, a fact, a signal."""
    within = [_shape(inner) for inner in step.steps]
    return (step.words, step.file, *within) if step.file and all(within) else ()


def page(walk: Walk, *, shape: bool) -> str:
    """Print a walk; its shape is without what changes from run to run: lines, milliseconds, ids."""
    answer = walk.answer if shape else f"{walk.answer}, after {walk.milliseconds:.1f} ms under watch"
    lines = [walk.title, *_lines(walk.request, depth=1, shape=shape), answer]
    for thread in sorted(walk.beside):
        lines += ["", f"after commit, beside the request, in the thread “{thread}”"]
        lines += _lines(walk.beside[thread], depth=1, shape=shape)
    return "\n".join(lines)


def _lines(parent: Step, *, depth: int, shape: bool) -> Iterator[str]:
    for step in folded(parent.steps):
        yield "  " * depth + _line(step, shape=shape)
        yield from _lines(step, depth=depth + 1, shape=shape)


def _line(step: Step, *, shape: bool) -> str:
    words = step.words if step.times == 1 else f"{step.words} ×{step.times}"
    if step.file:
        return f"{words}  {step.file}" if shape else f"{words}  {step.file}:{step.line}"
    notes = step.notes if shape else [*step.notes, *step.figures]
    return f"{words}  [{'; '.join(notes)}]" if notes else words
