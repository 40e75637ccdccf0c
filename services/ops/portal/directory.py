"""PortalDirectoryService and PortalKnowledgeService: what is only read."""

from kit.database import Session
from kit.errors import FieldError, Invalid, NotFound
from opsfield.ops.v1 import portal_directory_pb2, portal_knowledge_pb2
from services.ops.portal import store
from services.ops.portal.views import ARTICLES, CLIENTS


class PortalDirectoryHandlers:
    """Clients and contacts."""

    async def list_portal_clients(
        self, request: portal_directory_pb2.ListPortalClientsRequest, session: Session
    ) -> portal_directory_pb2.ListPortalClientsResponse:
        page: portal_directory_pb2.ListPortalClientsResponse = await CLIENTS.page(request, session)
        return page

    async def find_portal_contact(
        self, request: portal_directory_pb2.FindPortalContactRequest, session: Session
    ) -> portal_directory_pb2.PortalContact:
        email = request.email if request.HasField("email") else None
        contact_id = request.id if request.HasField("id") else None
        if (email is None) == (contact_id is None):
            raise Invalid.fields(FieldError("email", "or id is needed, and not both"))
        found = await store.contact(session, request.client_id, email=email, contact_id=contact_id)
        if found is None:
            raise NotFound("The client has no such contact that is active.")
        return portal_directory_pb2.PortalContact(**found)


class PortalKnowledgeHandlers:
    """Articles."""

    async def list_portal_articles(
        self, request: portal_knowledge_pb2.ListPortalArticlesRequest, session: Session
    ) -> portal_knowledge_pb2.ListPortalArticlesResponse:
        page: portal_knowledge_pb2.ListPortalArticlesResponse = await ARTICLES.page(request, session)
        return page

    async def get_portal_article(
        self, request: portal_knowledge_pb2.GetPortalArticleRequest, session: Session
    ) -> portal_knowledge_pb2.PortalArticle:
        article: portal_knowledge_pb2.PortalArticle = await ARTICLES.get(session, request.id)
        return article
