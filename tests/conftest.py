"""Settings of the whole test suite."""

import hypothesis

# The first example of a test pays for imports and warm-up: a deadline would measure those.
# Other examples in every run, also where the environment says that it is continuous integration.
hypothesis.settings.register_profile("fastgrok", deadline=None, max_examples=50, derandomize=False)
# With --hypothesis-profile=ci the same examples are drawn in every run.
hypothesis.settings.register_profile(
    "ci",
    parent=hypothesis.settings.get_profile("fastgrok"),
    derandomize=True,
    database=None,
)
hypothesis.settings.load_profile("fastgrok")
