"""`python -m tests.crash`: for each line on stdin, [act, failpoint, scene], fork, act, and print how it ended."""

import json
import os
import sys
import traceback

import django


def die_in_a_fork(line: str) -> int:
    """Perform the act in a process of its own and return that process's exit code."""
    from tests.crash import failpoints  # noqa: PLC0415 Django must be set up first
    from tests.crash.acts import ACTS, CONTROLS  # noqa: PLC0415
    from tests.crash.changes import CHANGES  # noqa: PLC0415
    from tests.crash.day_acts import DAY_ACTS  # noqa: PLC0415
    from tests.crash.payment_acts import ANSWERS, PAYMENT_ACTS  # noqa: PLC0415
    from tests.crash.refund_acts import REFUND_ACTS, SUBMISSIONS  # noqa: PLC0415
    from tests.crash.waitlist_acts import WAITLIST_ACTS  # noqa: PLC0415

    act, failpoint, scene = json.loads(line)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    try:
        failpoints.arm(failpoint)
        acts = {**ACTS, **WAITLIST_ACTS, **CONTROLS, **CHANGES, **DAY_ACTS}
        {**acts, **REFUND_ACTS, **SUBMISSIONS, **PAYMENT_ACTS, **ANSWERS}[act](scene)
    except BaseException:  # noqa: BLE001 this process must end here, whatever happened
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    django.setup()
    for request in sys.stdin:
        print(die_in_a_fork(request), flush=True)  # noqa: T201 the answer
