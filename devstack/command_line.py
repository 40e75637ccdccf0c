"""The commands of `python -m devstack`: run the platform until it is told to stop, print a bearer token, make the
secrets for Docker Compose."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from devstack import compose, tokens
from devstack.layout import GATEWAY, KAFKA, POSTGRES, REPOSITORY, Layout, StackError
from devstack.logs import Follower
from devstack.settings import DevstackSettings
from devstack.stack import Stack
from kit.settings import read

MISTAKE = 2
"""Exit code for something that the person at the keyboard can mend."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the command that was given; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description=(__doc__ or "").strip())
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything and show its logs until Ctrl-C")
    run.add_argument("--no-demo", action="store_true", help="load no demo workspace")
    token = commands.add_parser("token", help="print a bearer token")
    token.add_argument("--roles", required=True, metavar="ROLE[,ROLE…]", help=", ".join(tokens.ROLES))
    token.add_argument("--workspace", default="demo", metavar="WORKSPACE[,WORKSPACE…]", help="or * for all")
    token.add_argument("--client", help="the client whose person this is (role client_portal)")
    token.add_argument("--agent", help="the endpoint agent that this is (role endpoint_agent)")
    token.add_argument("--subject", help="the caller's id (default: dev-<first role>)")
    token.add_argument("--ttl", type=int, default=tokens.HALF_A_DAY, metavar="SECONDS", help="how long it is valid")
    commands.add_parser("compose-secrets", help="make what is missing of keys, passwords and .env for Docker Compose")
    commands.add_parser("cluster-secrets", help="the same for the overlay `dev` of k8s/")
    arguments = parser.parse_args()
    settings = read(DevstackSettings)
    try:
        if arguments.command == "compose-secrets":
            compose.prepare(REPOSITORY / ".compose", REPOSITORY / ".env")
            return 0
        if arguments.command == "cluster-secrets":
            compose.prepare(REPOSITORY / "k8s" / "overlays" / "dev" / "secrets")
            return 0
        if arguments.command == "token":
            print(_token(settings, arguments))
            return 0
        return asyncio.run(_run_until_signal(settings, demo=not arguments.no_demo))
    except StackError as error:
        print(error, file=sys.stderr)
        return MISTAKE


def _token(settings: DevstackSettings, arguments: argparse.Namespace) -> str:
    return tokens.issue(
        tokens.read_secret(Layout(settings.opsfield_data)),
        _words(arguments.roles),
        "*" if arguments.workspace == "*" else _words(arguments.workspace),
        client=arguments.client,
        agent=arguments.agent,
        subject=arguments.subject,
        ttl=arguments.ttl,
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


async def _run_until_signal(settings: DevstackSettings, *, demo: bool) -> int:
    """Run until the first stop signal, which ends all in order; a second one ends all at once."""
    stack = Stack(
        settings.opsfield_data,
        host=settings.opsfield_host,
        port=settings.opsfield_port,
        demo=demo,
        restart=True,
        report=_reporter(),
    )
    running = asyncio.create_task(_run(stack, settings))

    def stop() -> None:
        if running.cancelling():
            stack.kill_everything()
        else:
            running.cancel()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await running
    return 0


async def _run(stack: Stack, settings: DevstackSettings) -> None:
    progress = asyncio.create_task(Follower([stack.layout.log("demo")]).run())
    try:
        async with stack:
            progress.cancel()
            await asyncio.wait([progress])
            print(_welcome(stack, settings), flush=True)
            programs = (GATEWAY, *stack.services, KAFKA, POSTGRES)
            await Follower(stack.layout.log(name) for name in programs).run()
    finally:
        progress.cancel()


def _reporter() -> Callable[[str], None]:
    began = time.monotonic()

    def report(step: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {step}", flush=True)

    return report


def _welcome(stack: Stack, settings: DevstackSettings) -> str:
    elsewhere = settings.opsfield_data != REPOSITORY / ".devstack"
    prefix = f"OPSFIELD_DATA={stack.layout.data} " if elsewhere else ""
    token = f"$({prefix}make -s token ROLES=ops_engineer WORKSPACE=demo)"
    return f"""
Opsfield is ready. Ctrl-C stops it; what it holds stays in {stack.layout.data}.

    API             {stack.base_url}/api/v1
    documentation   {stack.base_url}/docs
    health          {stack.base_url}/health
    Kafka           {stack.kafka_bootstrap}
    PostgreSQL      {stack.database_address} (user postgres, password in {stack.layout.database_password})

A first request, from another terminal in this folder:

    curl -s "{stack.base_url}/api/v1/tickets?limit=3" -H "x-workspace-id: demo" \\
        -H "Authorization: Bearer {token}"
"""
