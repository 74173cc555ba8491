"""One thread a process; Hypothesis profiles: few examples in `make test`, many on demand.

`make test` draws the same examples each time: a merge must not stop by chance. The other profiles,
and `make fuzz`, draw others each time.
``HYPOTHESIS_PROFILE=thorough`` runs 1,000 examples of every property that sets no number itself,
``HYPOTHESIS_PROFILE=spaces`` runs 2,000.
"""

from __future__ import annotations

import gc
import os
import signal

from hypothesis import HealthCheck, settings

from tests.process import ENVIRONMENT

# before torch is imported, which reads both then
os.environ |= {key: ENVIRONMENT[key] for key in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}
# users' mbv2 is compiled: without bytecode a process takes up to 0.2 s longer
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# a job in the background of a shell ignores Ctrl-C, and so would the processes of the tests
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# torch's objects are many and stay: to look through them often takes a tenth of the tests' time
gc.set_threshold(50_000, 20, 100)

_SLOW_IS_FINE = [HealthCheck.too_slow]
settings.register_profile(
    "quick",
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile(
    "thorough", max_examples=1000, deadline=None, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile("spaces", settings.get_profile("thorough"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
