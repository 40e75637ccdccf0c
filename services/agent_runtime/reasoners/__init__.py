"""The reasoners that are built in. Worker processes import them, so nothing here may import a database or a network."""

from collections.abc import Mapping

from services.agent_runtime.reasoners.reasoner import Reasoner
from services.agent_runtime.reasoners.smoke import ECHO

REASONERS: Mapping[str, Reasoner] = {each.full_name: each for each in (ECHO,)}
