"""Generates Python code, type stubs and the descriptor set from protos/ into gen/.

    python tools/protos.py

The descriptor set carries comments and imports: the gateway builds its routes and documentation from it alone.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = REPOSITORY / "protos"
TARGET = REPOSITORY / "gen"


def main() -> int:
    """Generate everything anew; returns protoc's exit code, and leaves gen/ alone unless that is 0."""
    protos = sorted(str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.proto"))
    # Made aside and swapped in whole, so that a proto that is gone leaves nothing behind and a mistake breaks nothing.
    made = TARGET.with_name("gen.new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    code: int = protoc.main(
        [
            "protoc",
            f"-I{SOURCES}",
            f"-I{_googleapis()}",
            f"-I{Path(grpc_tools.__file__).parent / '_proto'}",
            f"--python_out={made}",
            f"--pyi_out={made}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={made / 'descriptors.binpb'}",
            *protos,
        ]
    )
    if code == 0:
        shutil.rmtree(TARGET, ignore_errors=True)
        made.rename(TARGET)
    else:
        shutil.rmtree(made)
    return code


def _googleapis() -> Path:
    """The folder that holds google/api/annotations.proto."""
    found = importlib.util.find_spec("google.api.annotations_pb2")
    if found is None or found.origin is None:
        sys.exit("The package googleapis-common-protos is not installed: run `make protos`, which installs it.")
    return Path(found.origin).parents[2]


if __name__ == "__main__":
    sys.exit(main())
