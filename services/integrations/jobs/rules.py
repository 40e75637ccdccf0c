"""What a job may go through: queued → running → succeeded, failed or cancelled; what has failed is queued again."""

from datetime import datetime

from kit.errors import Conflict, IllegalTransition

SYNC = "accounting_sync"
BOOKKEEPERS = frozenset({"integration_admin", "billing", "msp_admin"})
FINAL = frozenset({"succeeded", "failed", "cancelled"})
# A job that is begun so often without getting on takes its worker down with it.
MOST_TRIES = 20
# What one part of an artifact may have: what the gateway hands on as one answer.
MOST_PART_BYTES = 8 * 1024 * 1024


def may_steer(job_type: str) -> frozenset[str]:
    """Roles of those who may begin, cancel and retry such a job."""
    return BOOKKEEPERS if job_type == SYNC else frozenset({"data_admin", "msp_admin"})


def check_cancel(status: str) -> None:
    """Raises IllegalTransition for a job that has ended."""
    if status in FINAL:
        raise IllegalTransition(f"The job is {status}; it has ended.")


def check_retry(status: str, files_removed_at: datetime | None) -> None:
    """Raises IllegalTransition for a job that has not failed, Conflict for one whose files are there no more."""
    if status != "failed":
        raise IllegalTransition(f"The job is {status}; only a failed one can be retried.")
    if files_removed_at is not None:
        raise Conflict(
            f"Its files were removed on {files_removed_at:%Y-%m-%d}; begin another job.", code="files-removed"
        )


def place(parts: int, filled: int, size: int) -> tuple[int, int]:
    """How many parts an artifact has with one more piece, and where in the last of them the piece begins. `filled`:
    bytes in the last one so far."""
    if parts == 0 or filled + size > MOST_PART_BYTES:
        return parts + 1, 0
    return parts, filled
