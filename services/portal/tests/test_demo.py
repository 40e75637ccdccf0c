"""The demo workspace's approver."""

from collections.abc import AsyncIterator

import pytest

from devstack.stack import Stack
from kit.calls import Services
from kit.database import Database
from kit.identity import TokenSigner
from opsfield.ops.v1.contacts_pb2 import Contact, UpdateContactRequest
from opsfield.ops.v1.quotes_pb2 import CreateQuoteRequest, Quote, QuoteLine, SendQuoteRequest
from opsfield.portal.v1.invites_pb2 import APPROVER
from services.portal.demo.load import load
from services.portal.tests.caller import Provider


@pytest.fixture
async def services(stack: Stack) -> AsyncIterator[Services]:
    signer = TokenSigner.from_file("portal", stack.layout.key("portal"))
    services = Services({"ops": stack.address("ops")}, signer, timeout=10)
    yield services
    await services.close()


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """The portal's, as the service sees it."""
    database = await Database.connect(stack.database_url("portal"), size=1)
    yield database
    await database.close()


async def test_one_approver_is_invited_once(
    staff: Provider, services: Services, database: Database, workspace: str
) -> None:
    assert await load(database, services, workspace) is None, "there is nobody to decide on anything"
    contact = await staff.contact(is_primary=True)
    await staff.contact(contact.client_id)
    quote = Quote(
        client_id=contact.client_id,
        title="Office",
        valid_until="2099-12-31",
        lines=[QuoteLine(description="Work", quantity="1", unit_price="1")],
    )
    made = await staff.ops.call("CreateQuote", CreateQuoteRequest(quote=quote))
    await staff.ops.call("SendQuote", SendQuoteRequest(id=made.id))
    invited = await load(database, services, workspace)
    assert invited
    assert (invited.invite.contact_id, invited.invite.role) == (contact.id, APPROVER)
    assert (await staff.exchange(invited.token)).session.name == contact.name
    assert await load(database, services, workspace) is None


async def test_whoever_has_left_is_not_invited(
    staff: Provider, services: Services, database: Database, workspace: str
) -> None:
    contact = await staff.contact(is_primary=True)
    request = UpdateContactRequest(id=contact.id, contact=Contact(status=Contact.ARCHIVED))
    request.update_mask.paths.append("status")
    await staff.ops.call("UpdateContact", request)
    assert await load(database, services, workspace) is None
