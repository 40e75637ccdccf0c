"""The error report of an import: a CSV with a line for each thing that is wrong with a row."""

import csv
import io
from collections.abc import Iterable

from services.integrations.exports.rules import defused
from services.integrations.imports.rows import Row

_HEADER = ("row", "column", "message", "record")


def written(rows: Iterable[Row], *, with_header: bool) -> bytes:
    """Of the rows that have problems; nothing when none has. `record` is the row as it stands in the file."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        for column, message in row.problems:
            if with_header:
                writer.writerow(_HEADER)
                with_header = False
            writer.writerow((row.number, defused(column), defused(message), defused(row.text)))
    # Half of a surrogate pair cannot be written.
    return out.getvalue().encode(errors="replace")
