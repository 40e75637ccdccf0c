"""Every secret there can be: what it is for and which services may use it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class SecretKey:
    """`name` may end in `.*`, which stands for one word of the administrator's choice."""

    name: str
    used_by: tuple[str, ...]
    description: str

    def matches(self, key: str) -> bool:
        if not self.is_family:
            return key == self.name
        return bool(re.fullmatch(re.escape(self.name[:-1]) + r"[a-z0-9][a-z0-9_-]{0,62}", key))

    @property
    def is_family(self) -> bool:
        return self.name.endswith(".*")


PLATFORM_SECRETS = (
    SecretKey(
        "github.webhook",
        ("integrations",),
        "Secret of the GitHub webhook, with which GitHub signs what it delivers (x-hub-signature-256).",
    ),
    SecretKey(
        "workflow.callback",
        ("workflow", "agent-runtime"),
        "Secret with which an execution engine signs its callback (x-agentfield-signature).",
    ),
)

WORKSPACE_SECRETS = (
    SecretKey(
        "accounting.quickbooks",
        ("integrations",),
        "OAuth credentials for QuickBooks Online, as JSON: clientId, clientSecret, realmId, refreshToken.",
    ),
    SecretKey(
        "accounting.xero",
        ("integrations",),
        "OAuth credentials for Xero, as JSON: clientId, clientSecret, tenantId, refreshToken.",
    ),
    SecretKey("notifications.*", ("integrations",), "URL of a notification channel, with its credentials."),
    SecretKey("payments.stripe", ("portal",), "Secret API key of Stripe."),
    SecretKey("payments.stripe-webhook", ("portal",), "Secret with which Stripe signs what it delivers."),
)


def find(key: str, among: tuple[SecretKey, ...]) -> SecretKey | None:
    """What is known of a key; None when there can be no such secret."""
    return next((each for each in among if each.matches(key)), None)
