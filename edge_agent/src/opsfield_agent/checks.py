"""Checks: whether a port takes connections, a URL answers, a process runs. Each gives a status and a message."""

import socket
from typing import NamedTuple

import psutil

from opsfield_agent import urls
from opsfield_agent.client import Client, Unreachable
from opsfield_agent.log import one_line
from opsfield_agent.policy import Check


class Outcome(NamedTuple):
    """`status` is ok, warning, critical or unknown (the check itself could not be made)."""

    status: str
    message: str


def look(check: Check) -> Outcome:
    """Make the check. Takes about its timeout at most, but for a name that takes long to resolve."""
    looks = {"tcp": _tcp, "http": _http, "process": _process}
    try:
        return looks[check.type](check)
    except Exception as error:
        return Outcome("unknown", one_line(f"{type(error).__name__}: {error}", 300))


def _tcp(check: Check) -> Outcome:
    host, _, port = check.target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return Outcome("unknown", "The target is not host:port.")
    try:
        with socket.create_connection((host, int(port)), timeout=check.timeout_seconds):
            return Outcome("ok", f"{check.target} takes connections.")
    except TimeoutError:
        return Outcome("critical", f"{check.target} did not answer within {check.timeout_seconds:g} s.")
    except socket.gaierror:
        return Outcome("critical", f"The name {host} is not known.")
    except OSError as error:
        return Outcome("critical", f"{check.target}: {error.strerror or error}.")


def _http(check: Check) -> Outcome:
    try:
        url = urls.parse(check.target)
    except ValueError as error:
        return Outcome("unknown", f"The target is no URL: {error}.")
    client = Client(urls.Url(url.scheme, url.host, url.port, ""))
    try:
        answer = client.request("GET", url.target, seconds=check.timeout_seconds, read_body=False)
    except Unreachable as error:
        return Outcome("critical", f"{one_line(str(error), 300)}.")
    finally:
        client.close()
    status = "ok" if answer.status < 400 else "critical"
    return Outcome(status, f"{url.host} answers with status {answer.status}.")


def _process(check: Check) -> Outcome:
    processes = (process.info for process in psutil.process_iter(["name", "status"]))
    # A zombie has a name, but does nothing any more.
    running = sum(each["name"] == check.target and each["status"] != psutil.STATUS_ZOMBIE for each in processes)
    if running:
        return Outcome("ok", f"{running} running.")
    return Outcome("critical", f"No process named {check.target} runs.")
