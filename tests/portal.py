"""A client's people at the portal, for tests."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.platform import Api, Platform, new_key

STAFF = ("ops_engineer", "billing")


@dataclass(frozen=True)
class Provider:
    """The provider's side of a workspace: `api` may do all that engineers and the books' keepers may."""

    platform: Platform
    api: Api
    opened: ExitStack

    def new_client(self, **fields: Any) -> dict[str, Any]:
        return self.api.new_client(currency="EUR", **fields)

    def new_contact(self, client_id: str, **fields: Any) -> dict[str, Any]:
        name = f"Kim {uuid.uuid4().hex[:6]}"
        body = {"clientId": client_id, "name": name, "email": f"{name.replace(' ', '.').lower()}@example.com", **fields}
        return created(self.api.post("/contacts", json=body))

    def invite(self, contact: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """The answer: `token` and `invite`."""
        body = {"clientId": contact["clientId"], "email": contact["email"], **fields}
        return created(self.api.post("/portal/invites", json=body))

    def person(self, client_id: str, role: str = "member") -> Api:
        """Somebody of that client who has come in by an invite."""
        session = exchange(self.platform, self.invite(self.new_contact(client_id), role=role)["token"])
        return self.visitor(created(session)["accessToken"])

    def visitor(self, token: str) -> Api:
        """Whoever has this token, at work in this workspace."""
        return self.opened.enter_context(Api(self.platform.stack.base_url, token, self.api.workspace))

    def sent_quote(self, client_id: str, **fields: Any) -> dict[str, Any]:
        line = {"description": "Setup", "quantity": "1.5", "unitPrice": "100", "taxPercent": "20"}
        body = {"clientId": client_id, "title": "Office", "lines": [line], "validUntil": "2099-12-31", **fields}
        quote = created(self.api.post("/quotes", json=body))
        return done(self.api.post(f"/ops/quotes/{quote['id']}/send", json={}))

    def issued_invoice(self, client_id: str, amount: str = "180.00", **fields: Any) -> dict[str, Any]:
        line = {"description": "Work", "quantity": "1", "unitPrice": amount}
        invoice = created(self.api.post("/invoices", json={"clientId": client_id, "lines": [line], **fields}))
        return done(self.api.post(f"/ops/invoices/{invoice['id']}/issue", json={}))

    def article(self, title: str, **fields: Any) -> dict[str, Any]:
        """Published."""
        body = {"title": title, "body": f"All about {title}.", "visibility": "all_clients", **fields}
        article = created(self.api.post("/knowledge-articles", json=body))
        return done(self.api.patch(f"/knowledge-articles/{article['id']}", json={"status": "published"}))

    def comment(self, ticket_id: str, body: str, visibility: str = "public") -> dict[str, Any]:
        comment = {"body": body, "visibility": visibility}
        return created(self.api.post(f"/tickets/{ticket_id}/comments", json=comment))


@contextmanager
def provider(platform: Platform) -> Iterator[Provider]:
    """In a workspace of its own."""
    with ExitStack() as opened:
        yield Provider(platform, opened.enter_context(platform.api(roles=STAFF)), opened)


def exchange(platform: Platform, token: str, *, key: str | None = None) -> httpx.Response:
    """Exchange an invite's token, as somebody whom nobody knows."""
    return httpx.post(
        f"{platform.stack.base_url}/api/v1/portal/session/exchange",
        json={"token": token},
        headers={"idempotency-key": key or new_key()},
        timeout=30,
    )


def created(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ids_of(answer: httpx.Response) -> set[str]:
    """Of what a list answers."""
    return {each["id"] for each in done(answer)["data"]}
