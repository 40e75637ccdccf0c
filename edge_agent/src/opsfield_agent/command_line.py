"""The commands of `opsfield-agent`. Exit codes: 0 done, 1 it failed, 2 the command is wrong."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from opsfield_agent import __version__, identity, log, settings, urls
from opsfield_agent.client import Client
from opsfield_agent.credentials import Credentials
from opsfield_agent.enrollment import enroll
from opsfield_agent.errors import FAILED, AgentError, Later, Mistake, Refused
from opsfield_agent.run import run
from opsfield_agent.state import State
from opsfield_agent.status import as_text, status

_MINUTES_PER_DAY = 24 * 60
_MOST_DAYS = 90
_MOST_TOKEN_LENGTH = 200
_STOPPED = 130

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that was given; returns the exit code."""
    options = _parser().parse_args(arguments)
    log.configure(options.log_level)
    # Whatever is written is for this user alone.
    os.umask(0o077)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except AgentError as error:
        print(log.one_line(str(error)), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _STOPPED
    except BrokenPipeError:
        return FAILED
    except Exception as error:
        print(log.one_line(f"Something went wrong in the agent: {log.describe(error)}"), file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opsfield-agent", description="Measures this machine and reports to its provider's platform."
    )
    parser.add_argument("--version", action="version", version=__version__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state-dir", metavar="DIR", help="where the agent keeps what it must remember")
    common.add_argument("--log-level", choices=log.LEVELS, default=settings.DEFAULT_LOG_LEVEL)
    trust = argparse.ArgumentParser(add_help=False)
    trust.add_argument("--ca-file", metavar="FILE", help="certificate authorities to trust, in place of the system's")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("enroll", parents=[common, trust], help="make this machine known to the platform")
    command.add_argument("--url", required=True, help="the platform's address: https://…")
    command.add_argument("--token", required=True, help="the enrollment token; - reads it from standard input")
    command.add_argument("--force", action="store_true", help="take a new identity in place of the one there is")
    command.add_argument("--insecure-http", action="store_true", help="allow http:// to another machine")
    command.add_argument(
        "--hardware-id",
        metavar="ID",
        help="what identifies this machine, in place of its firmware's id; '' for nothing",
    )
    command.add_argument(
        "--wait", type=_seconds, default=30.0, metavar="SECONDS", help="how long to try when there is no answer (30)"
    )
    command.set_defaults(command=_enroll)

    command = commands.add_parser("run", parents=[common, trust], help="collect and send until stopped")
    command.set_defaults(command=_run)

    command = commands.add_parser("status", parents=[common], help="show who this agent is and how it is doing")
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(command=_status)

    command = commands.add_parser(
        "token", parents=[common, trust], help="print a bearer token, for an OpenTelemetry Collector on this machine"
    )
    command.add_argument("--days", type=_days, default=30, metavar="N", help="how long it is valid: 1 to 90 (30)")
    command.set_defaults(command=_token)
    return parser


def _enroll(options: argparse.Namespace) -> int:
    try:
        url = urls.parse_platform(options.url, insecure_http=options.insecure_http)
    except ValueError as error:
        raise Mistake(f"{options.url!r} is not the address of a platform: {error}.") from None
    who = enroll(
        State(settings.state_dir(options.state_dir)),
        url,
        _enrollment_token(options.token),
        ca_file=_ca_file(options),
        hardware_id=options.hardware_id,
        force=options.force,
        patience=options.wait,
    )
    print(f"Enrolled as agent {who.agent_id} of workspace {who.workspace_id}.")
    return 0


def _enrollment_token(option: str) -> str:
    token = (sys.stdin.readline() if option == "-" else option).strip()
    workspace, dot, secret = token.partition(".")
    if not (workspace and dot and secret and token.isascii() and token.isprintable() and " " not in token):
        raise Mistake("That is not an enrollment token: it has the form <workspace>.<secret>.")
    if len(token) > _MOST_TOKEN_LENGTH:
        raise Mistake(f"That is not an enrollment token: it is longer than {_MOST_TOKEN_LENGTH} characters.")
    return token


def _run(options: argparse.Namespace) -> int:
    run(State(settings.state_dir(options.state_dir)), ca_file=_ca_file(options))
    return 0


def _status(options: argparse.Namespace) -> int:
    found = status(State(settings.state_dir(options.state_dir)))
    print(json.dumps(found, indent=2) if options.json else as_text(found))
    return 0 if found["enrolledAs"] else FAILED


def _token(options: argparse.Namespace) -> int:
    who = identity.require(State(settings.state_dir(options.state_dir)))
    client = Client(urls.parse(who.url), _ca_file(options) or who.ca_file)
    try:
        token, ends_at = Credentials(client, who).issue(options.days * _MINUTES_PER_DAY)
    except (Later, Refused) as error:
        raise AgentError(str(error)) from None
    finally:
        client.close()
    _log.info("The token is valid until %s", ends_at)
    print(token)
    return 0


def _ca_file(options: argparse.Namespace) -> str | None:
    return None if options.ca_file is None else str(Path(options.ca_file).absolute())


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_DAYS):
        raise argparse.ArgumentTypeError(f"must be a number of days from 1 to {_MOST_DAYS}")
    return int(text)


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("must be a number of seconds")
    return float(text)
