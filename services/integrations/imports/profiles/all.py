"""The profiles there are."""

from services.integrations.imports.profiles import itflow, tactical_rmm
from services.integrations.imports.profiles.profile import Profile

PROFILES: dict[str, Profile] = {each.name: each for each in (*itflow.PROFILES, *tactical_rmm.PROFILES)}
