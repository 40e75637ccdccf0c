"""The kind `knowledge-articles`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.knowledge_articles_pb2 import KnowledgeArticle
from services.ops.knowledge.articles import rules

ARTICLES = Kind(
    message=KnowledgeArticle,
    rules=rules.judge,
    defaults={"status": "draft", "visibility": "internal"},
    unique={"knowledge_articles_slug": "slug"},
)
