"""How hypothesis runs: the same examples each time in CI, and nothing of it is left in the tree."""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir

from deploy.local.install import STATE

set_hypothesis_home_dir(STATE / "hypothesis")
settings.register_profile(
    "reelway",
    deadline=None,  # other tests share the machine
    derandomize=bool(os.environ.get("CI")),
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),  # explaining traces every line, and takes minutes
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reelway")
