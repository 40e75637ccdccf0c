"""The program of a worker process: reasons about one input after another until its pipe closes.

    python -m services.agent_runtime.workers.worker PARENT_PID MEMORY_MB [MODULE]

It is started with an empty environment and bounded memory, and ends with its parent. MODULE holds reasoners for tests.
"""

import ctypes
import os
import resource
import signal
import sys
import traceback
from typing import IO, Any

from services.agent_runtime.workers import frames

# The exit code of a worker that has used up its memory; what is left of it is not fit to say so in words.
OUT_OF_MEMORY = 86
_PR_SET_PDEATHSIG = 1
_LONGEST_DETAIL = 500

Json = dict[str, Any]


def main() -> None:
    parent, memory_mb, *modules = sys.argv[1:]
    _end_with(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _take_pipes()
    _bound_memory(int(memory_mb))
    try:
        _serve(requests, answers, modules)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)


def _serve(requests: IO[bytes], answers: IO[bytes], modules: list[str]) -> None:
    from services.agent_runtime.workers.reasoning import load, reason

    reasoners = load(*modules)
    frames.write(answers, frames.pack({"ready": True}))
    while (request := frames.read(requests)) is not None:
        reasoner = reasoners[request["reasoner"]]
        try:
            answer = reason(reasoner, request["input"], request["data"])
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            answer = _raised(error)
        frames.write(answers, _packed(answer))


def _packed(answer: Json) -> bytes:
    try:
        return frames.pack(answer)
    except frames.TooLong as error:
        detail = f"The result is too long: {error}."
    except (ValueError, TypeError, RecursionError) as error:
        detail = f"The result is no JSON: {one_line(error)}"
    return frames.pack({"failure": "output_invalid", "detail": detail})


def _raised(error: BaseException) -> Json:
    return {
        "failure": "reasoner_error",
        "detail": one_line(error),
        "trace": "".join(traceback.format_exception(error)).encode(errors="replace").decode(),
    }


def one_line(error: BaseException) -> str:
    """What an error says, for whoever asked: no more than a line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text.replace("\0", "").encode(errors="replace").decode()[:_LONGEST_DETAIL]


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The two pipes, out of reach of what a reasoner prints or reads."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _end_with(parent: int) -> None:
    """However the parent ends, this process is killed then: not every reasoner ever reads its pipe again."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def _bound_memory(megabytes: int) -> None:
    most = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
