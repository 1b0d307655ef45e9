"""Start a program so that it cannot outlive whoever started it.

Run by file name, with nothing but the standard library:

    python -I -S launch.py PARENT_PID PROGRAM [ARGUMENT ...]

The kernel then ends the program (SIGKILL) when the parent ends, even when the parent itself was killed with -9 and
could tidy up nothing. A launcher of its own, instead of `preexec_fn`, because running Python between fork and exec is
unsafe once the parent has threads. Elsewhere than on Linux the program starts without this safety net.

It may also open as many files as the user is allowed to: the usual first limit of 1,024 is soon reached by a server.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """Have this process killed when `parent_pid` ends; exits at once if that has happened already."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        raise SystemExit("the process that wanted this program is gone")


def allow_many_files() -> None:
    """Raise the limit of open files and connections to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    allow_many_files()
    os.execvpe(sys.argv[2], sys.argv[2:], os.environ)  # noqa: S606 - a shell would take the signals meant for it
