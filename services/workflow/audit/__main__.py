"""`python -m services.workflow.audit verify FILE --issuer did:key:…`: check an export of an audit trail offline."""

import argparse
import sys
from pathlib import Path

from services.workflow.audit.credential import NotVerified
from services.workflow.audit.verify import verify_trail


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 when all of it is right, 1 when not, 2 for a wrong command line or file."""
    parser = argparse.ArgumentParser(prog="python -m services.workflow.audit")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="check an export offline")
    verify.add_argument("file", type=Path)
    verify.add_argument(
        "--issuer", action="append", required=True, help="a did:key that is trusted; once for each key that ever signed"
    )
    given = parser.parse_args(arguments)
    try:
        verified = verify_trail(given.file.read_text(), given.issuer)
    except NotVerified as error:
        print(f"NOT verified: {error}.", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"The export cannot be read: {error}.", file=sys.stderr)
        return 2
    print(
        f"Verified: {verified.credentials} credentials of workspace {verified.workspace_id}, none missing, none "
        "changed. Not checked: what took place after the checkpoint."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
