"""What the commands do, for Python users too: find models, generate, train, judge.

Nothing heavy is imported before a function needs it, so that commands without a network
(``evaluate``, ``view``, ``data``) never load torch.
"""

from __future__ import annotations

from moldiff.tasks.judging import judge
from moldiff.tasks.models import (
    bundled_configs,
    bundled_models,
    card_rows,
    check_device,
    find_model,
    load,
)
from moldiff.tasks.sampling import (
    Options,
    check_conditions,
    generate,
    sampler_remarks,
    stream,
    trajectories,
)
from moldiff.tasks.training import trainer, training_config, training_store

__all__ = [
    "Options",
    "bundled_configs",
    "bundled_models",
    "card_rows",
    "check_conditions",
    "check_device",
    "find_model",
    "generate",
    "judge",
    "load",
    "sampler_remarks",
    "stream",
    "trainer",
    "training_config",
    "training_store",
    "trajectories",
]
