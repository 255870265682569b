"""Watches a process: functions of ours, statements, commits, facts, signals, Redis and tasks, thread by thread."""

import inspect
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import redis
from celery import Task
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_save
from django.dispatch import Signal

from bookings import signals as bookings_signals
from config.kit.addresses import UUID_FORM
from config.kit.facts import Fact
from scheduling import signals as scheduling_signals
from tests.tracing.statements import effects_of, one_line
from tests.tracing.steps import Step

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(f"{ROOT / name}/" for name in ("config", "scheduling", "payments", "bookings", "alerts"))
# The beat of the threads that gather news; what they tell is shown.
UNSHOWN = frozenset({"Gathering._run", "Gathering._is_needed", "Gathering._take_due", "Gathering._tell_safely"})
WATCHES = str(ROOT / "alerts" / "metrics.py")  # it watches, as we do
SIGNALS = {
    id(value): f"{holder.__name__.partition('.')[0]}.{name}"
    for holder in (bookings_signals, scheduling_signals)
    for name, value in vars(holder).items()
    if isinstance(value, Signal)
}
LONGEST_MESSAGE = 240


class Lane(threading.local):
    """A thread's open steps, the innermost last, each with the frame that it ends with."""

    def __init__(self) -> None:
        self.open: list[tuple[FrameType | None, Step]] = []
        self.generators: list[FrameType] = []
        self.is_muted = False


class Recorder:
    """Notes what happens while `is_recording`, in every thread that began under its watch."""

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self.is_recording = False
        self.lives: dict[str, Step] = {}  # by the thread's name
        self._lane = Lane()
        self._names: dict[CodeType, str] = {}  # empty: not shown

    @contextmanager
    def watching(self) -> Iterator["Recorder"]:
        """Hook into everything that is told of."""
        with ExitStack() as stack:
            for owner, name, hook in (
                (BaseDatabaseWrapper, "_commit", self._tell_of("COMMIT")),
                (BaseDatabaseWrapper, "_rollback", self._tell_of("ROLLBACK")),
                (BaseDatabaseWrapper, "set_autocommit", self._tell_of_begin),
                (Signal, "send", self._tell_of_signal),
                (redis.Redis, "execute_command", self._tell_of_command),
                (redis.client.Pipeline, "execute", self._tell_of_pipeline),
                (Task, "apply_async", self._tell_of_task),
            ):
                original = getattr(owner, name)
                stack.enter_context(patch.object(owner, name, _calling(hook, original)))
            connection_created.connect(self._watch_connection)
            post_save.connect(self._tell_of_fact)
            connections.close_all()
            threading.setprofile(self._profile)
            yield self
            threading.setprofile(None)
            connection_created.disconnect(self._watch_connection)
            post_save.disconnect(self._tell_of_fact)
            connections.close_all()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record from here on, in this thread and those beside it."""
        self.lives.clear()
        self._lane.open.clear()
        self.is_recording = True
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)

    # Functions ----------------------------------------------------------------------------------------------------

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if not self.is_recording:
            return
        if event == "call":
            name = self._name_of(frame)
            if name and not self._is_resumed(frame):
                file = str(Path(frame.f_code.co_filename).relative_to(ROOT))
                self._add(Step(name, file, frame.f_code.co_firstlineno), frame)
        elif event == "return" and self._lane.open and self._lane.open[-1][0] is frame:
            self._lane.open.pop()

    def _name_of(self, frame: FrameType) -> str:
        code = frame.f_code
        if code not in self._names:
            self._names[code] = _shown_name(frame)
        return self._names[code]

    def _is_resumed(self, frame: FrameType) -> bool:
        """A generator that goes on was told of when it began."""
        if not frame.f_code.co_flags & inspect.CO_GENERATOR:
            return False
        if frame in self._lane.generators:
            return True
        self._lane.generators.append(frame)
        return False

    def _add(self, step: Step, frame: FrameType | None = None, *, opens: bool = False) -> None:
        name = threading.current_thread().name
        parent = self._lane.open[-1][1] if self._lane.open else self.lives.setdefault(name, Step(name))
        parent.steps.append(step)
        if frame or opens:
            self._lane.open.append((frame, step))

    # The database -------------------------------------------------------------------------------------------------

    def _watch_connection(self, connection: BaseDatabaseWrapper, **_: object) -> None:
        connection.execute_wrappers.append(self._tell_of_statement)

    def _tell_of_statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:  # fmt: skip
        if not self.is_recording:
            return execute(sql, params, many, context)
        began = time.perf_counter()
        found = execute(sql, params, many, context)
        step = Step(f"SQL {one_line(sql)}", notes=effects_of(sql))
        if step.notes and not context["connection"].in_atomic_block:
            step.notes.append("commits by itself")
        if context["cursor"].rowcount >= 0 and not sql.startswith(("SAVEPOINT", "RELEASE")):
            step.notes.append(_rows(context["cursor"].rowcount))
        step.figures.append(_milliseconds(began))
        self._add(step)
        return found

    def _tell_of(self, words: str) -> Callable[..., Any]:
        def hook(original: Callable[..., Any], *arguments: Any) -> Any:
            began = time.perf_counter()
            found = original(*arguments)
            if self.is_recording:
                self._add(Step(words, figures=[_milliseconds(began)]))
            return found

        return hook

    def _tell_of_begin(self, original: Callable[..., Any], connection: Any, *arguments: Any, **named: Any) -> Any:
        if self.is_recording and connection.get_autocommit() and not arguments[0]:
            self._add(Step("BEGIN"))
        return original(connection, *arguments, **named)

    def _tell_of_fact(self, sender: type, instance: Any, **_: object) -> None:
        if self.is_recording and issubclass(sender, Fact):
            came_from = f"{instance.from_status} → " if instance.from_status else "→ "
            self._add(Step(f"FACT {instance.kind}: {came_from}{instance.to_status}", figures=[str(instance.id)]))

    # What is told to others ---------------------------------------------------------------------------------------

    def _tell_of_signal(self, original: Callable[..., Any], signal: Signal, *arguments: Any, **named: Any) -> Any:
        if not self.is_recording or id(signal) not in SIGNALS:
            return original(signal, *arguments, **named)
        self._add(Step(f"SIGNAL {SIGNALS[id(signal)]}"), opens=True)
        try:
            return original(signal, *arguments, **named)
        finally:
            self._lane.open.pop()

    def _tell_of_command(self, original: Callable[..., Any], client: object, *arguments: Any, **named: Any) -> Any:
        self._tell_of_redis(arguments)
        return original(client, *arguments, **named)

    def _tell_of_pipeline(self, original: Callable[..., Any], pipeline: Any, *arguments: Any, **named: Any) -> Any:
        for command in pipeline.command_stack:
            self._tell_of_redis(getattr(command, "args", command[0] if isinstance(command, tuple) else ()))
        return original(pipeline, *arguments, **named)

    def _tell_of_redis(self, words: Any) -> None:
        if not self.is_recording or self._lane.is_muted:
            return
        command, key, *rest = [_text(word) for word in words] or [""]
        message = " ".join(rest)
        self._add(Step(f"REDIS {command} {re.sub(UUID_FORM, '…', key)}", figures=[message[:LONGEST_MESSAGE]]))

    def _tell_of_task(self, original: Callable[..., Any], task: Any, *arguments: Any, **named: Any) -> Any:
        if self.is_recording:
            self._add(Step(f"TASK {task.name}"))
        self._lane.is_muted = True  # how it reaches the broker is not ours
        try:
            return original(task, *arguments, **named)
        finally:
            self._lane.is_muted = False


def _calling(hook: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def called(*arguments: Any, **named: Any) -> Any:
        return hook(original, *arguments, **named)

    return called


def _shown_name(frame: FrameType) -> str:
    """Return the function's name, or nothing for what is not ours, or is mere grammar: dunders, properties, lambdas."""
    code = frame.f_code
    if not code.co_filename.startswith(OURS) or code.co_filename == WATCHES or code.co_name.startswith(("__", "<")):
        return ""
    name = code.co_qualname.replace(".<locals>", "")
    owner = type(frame.f_locals.get("self"))
    is_property = isinstance(inspect.getattr_static(owner, code.co_name, None), (property, cached_property))
    return "" if is_property or name in UNSHOWN else name


def _text(word: object) -> str:
    text = word.decode(errors="replace") if isinstance(word, bytes) else str(word)
    return text if text.isprintable() else "…"


def _rows(number: int) -> str:
    return f"{number} row{'' if number == 1 else 's'}"


def _milliseconds(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.2f} ms"
