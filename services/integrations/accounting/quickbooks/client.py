"""QuickBooks' SDK, as it is used here: with time limits, and with what can be tried again told from what cannot."""

from typing import Any

import requests
from intuitlib.client import AuthClient
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks

from kit.errors import TooManyRequests, Unavailable
from services.integrations.accounting.connection import Credentials, reconnect_needed

_PATIENCE_OF_429 = 60
_MINOR_VERSION = 75


class Client(QuickBooks):  # type: ignore[misc] # it ships no types
    """Speaks for one company until its access token ends: AuthorizationException then."""

    def __new__(cls, **options: Any) -> "Client":
        kept = ("company_id", "minorversion", "use_decimal")
        client: Client = super().__new__(cls, **{name: options[name] for name in kept})
        return client

    def __init__(self, *, base_url: str, access_token: str, seconds: float, **_options: Any) -> None:
        self._base_url = base_url
        self._access_token = access_token
        self._seconds = seconds
        self._http = requests.Session()

    @property
    def api_url(self) -> str:
        return f"{self._base_url}/v3"

    def process_request(self, request_type: str, url: str, headers: Any = "", params: Any = "", data: Any = "") -> Any:
        """Raises TooManyRequests, Unavailable."""
        headers = {**headers, "Authorization": f"Bearer {self._access_token}"}
        try:
            answer = self._http.request(
                request_type, url, headers=headers, params=params, data=data, timeout=self._seconds
            )
        except requests.RequestException as error:
            raise Unavailable(f"QuickBooks does not answer: {type(error).__name__}.", retry_after=5) from error
        _check(answer.status_code, answer.headers)
        return answer


def connect(credentials: Credentials, *, base_url: str, discovery_url: str, seconds: float) -> tuple[Client, str]:
    """A client, and the refresh token that is good from now on. Raises JobFailedError when nobody there knows us,
    TooManyRequests, Unavailable."""
    try:
        auth = _Auth(credentials, discovery_url, seconds)
        auth.refresh(refresh_token=credentials.refresh_token)
    except AuthClientError as error:
        _check(error.status_code, error.headers)
        raise reconnect_needed("quickbooks") from error
    except (requests.RequestException, KeyError) as error:
        raise Unavailable(f"Intuit gives no token: {type(error).__name__}.", retry_after=5) from error
    client = Client(
        base_url=base_url,
        access_token=auth.access_token,
        seconds=seconds,
        company_id=credentials.account,
        minorversion=_MINOR_VERSION,
        use_decimal=True,
    )
    return client, str(auth.refresh_token)


class _Auth(AuthClient):  # type: ignore[misc] # it ships no types
    def __init__(self, credentials: Credentials, discovery_url: str, seconds: float) -> None:
        self._seconds = seconds
        # Where people are sent back to when they connect: not needed to refresh.
        super().__init__(credentials.client_id, credentials.client_secret, "", discovery_url)

    def request(self, *arguments: Any, **options: Any) -> Any:
        return super().request(*arguments, **{"timeout": self._seconds, **options})


def _check(status: int, headers: Any) -> None:
    if status == 429:
        told = headers.get("Retry-After", "")
        seconds = int(told) if str(told).isdigit() else _PATIENCE_OF_429
        raise TooManyRequests("QuickBooks asks to wait.", retry_after=max(seconds, 1))
    if status >= 500:
        raise Unavailable(f"QuickBooks answers {status}.", retry_after=5)
