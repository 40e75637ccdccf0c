"""Xero's SDK, as it is used here: with time limits, without tries and tokens of its own, and with what can be tried
again told from what cannot."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import urllib3
from xero_python.accounting import AccountingApi
from xero_python.api_client import ApiClient
from xero_python.api_client.configuration import Configuration
from xero_python.api_client.oauth2 import OAuth2Token, TokenApi
from xero_python.exceptions import AccessTokenExpiredError, BadRequestException, HTTPStatusException, NotFoundException

from kit.errors import TooManyRequests, Unavailable
from services.integrations.accounting.connection import Credentials, reconnect_needed
from services.integrations.accounting.port import RefusedError

_PATIENCE_OF_429 = 60

T = TypeVar("T")
Tokens = dict[str, Any]


class SessionEndedError(Exception):
    """The access token is not good any more."""


class Client:
    """Speaks for one organisation until its access token ends."""

    def __init__(self, tokens: Tokens, tenant_id: str, *, base_url: str, seconds: float) -> None:
        # Without the refresh token: the SDK would use it, and nobody would keep the one that comes of it.
        kept = {"access_token": tokens["access_token"], "token_type": "Bearer", "scope": [], "expires_in": None}
        api_client = _api_client()
        api_client.oauth2_token_getter(lambda: kept)
        self._api = AccountingApi(api_client, base_url)
        self._tenant_id = tenant_id
        self._timeout = (seconds, seconds)

    def call(self, ask: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a method of the SDK's AccountingApi. Raises SessionEndedError, RefusedError, NotFoundException,
        TooManyRequests, Unavailable."""
        with _told_apart():
            return ask(self._api, self._tenant_id, *arguments, _request_timeout=self._timeout, **options)


def connect(credentials: Credentials, *, token_url: str) -> Tokens:
    """What is good from now on: `access_token`, `refresh_token`. Raises JobFailedError when nobody there knows us,
    TooManyRequests, Unavailable."""
    api = TokenApi(_api_client(), credentials.client_id, credentials.client_secret)
    api.refresh_token_url = token_url
    try:
        with _told_apart():
            tokens: Tokens = api.refresh_token(credentials.refresh_token, scope=[])
    except (RefusedError, SessionEndedError) as error:
        raise reconnect_needed("xero") from error
    return tokens


def _api_client() -> ApiClient:
    # All that are made are copies of the first, its token too.
    configuration = Configuration()
    configuration.oauth2_token = OAuth2Token()
    client = ApiClient(configuration)
    client.rest_client.pool_manager.connection_pool_kw["retries"] = urllib3.Retry(0)
    return client


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except AccessTokenExpiredError as error:
        raise SessionEndedError from error
    except NotFoundException:
        raise
    except BadRequestException as error:
        raise RefusedError("not-taken", _words(error)) from error
    except HTTPStatusException as error:
        _check(error.http_resp.status, error.http_resp.urllib3_response.headers)
        raise RefusedError("not-taken", f"Xero answers {error.http_resp.status}.") from error
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"Xero does not answer: {type(error).__name__}.", retry_after=5) from error


def _check(status: int, headers: Any) -> None:
    if status in (401, 403):
        raise SessionEndedError
    if status == 429:
        told = headers.get("Retry-After", "")
        seconds = int(told) if str(told).isdigit() else _PATIENCE_OF_429
        raise TooManyRequests("Xero asks to wait.", retry_after=max(seconds, 1))
    if status >= 500:
        raise Unavailable(f"Xero answers {status}.", retry_after=5)


def _words(error: BadRequestException) -> str:
    """What Xero says is wrong: of each element, or of the whole."""
    try:
        found = json.loads(error.http_resp.data)
        each = [problem["Message"] for element in found.get("Elements", ()) for problem in element["ValidationErrors"]]
        return " ".join(each or [str(found.get("Message") or found.get("Detail") or found.get("error"))])[:1000]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "Xero does not take it."
