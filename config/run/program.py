"""One child process of ours: started in its own group, its lines read as they come, ended with all its children."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from config.run.console import say
from config.run.processes import dying_with_parent, end_group
from config.run.state import ROOT

CHUNK_BYTES = 65536


class Program:
    """A process that is not a server of ours: web, worker, beat, or a command that ends by itself."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Describe it; nothing is started yet."""
        self.name = name
        self.command = command
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self._unfinished = b""

    def start(self) -> None:
        """Start it, and first end what a killed predecessor left in its group."""
        self.kill()
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 this process has no threads
        )
        os.set_blocking(self.output.fileno(), False)

    @property
    def output(self) -> IO[bytes]:
        """Return the pipe of its words."""
        if self.process is None or self.process.stdout is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.process.stdout

    def is_running(self) -> bool:
        """Answer whether it still lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self) -> int:
        """Return the code it ended with; negative is the signal that killed it."""
        return (self.process.poll() or 0) if self.process is not None else 0

    def ask_to_stop(self) -> None:
        """Ask it to finish what it is doing and end."""
        if self.process is not None and self.is_running():
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it now, with all its children."""
        self.kill()

    def kill(self) -> None:
        """End its whole group: when web's first process is killed, its workers would go on holding the port."""
        if self.process is None:
            return
        end_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.read()
        self.output.close()
        self.process = None

    def read(self) -> bool:
        """Print the lines that have come; return False at the end of its output."""
        data = self.output.read(CHUNK_BYTES)
        if data:
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            for line in lines:
                say(self.name, line.decode(errors="replace").rstrip())
        if data == b"" and self._unfinished:
            say(self.name, self._unfinished.decode(errors="replace"))
            self._unfinished = b""
        return data != b""

    def describe_end(self) -> str:
        """Say how it ended."""
        if self.exit_code >= 0:
            return f"ended with code {self.exit_code}"
        return f"was killed by {signal.Signals(-self.exit_code).name}"
