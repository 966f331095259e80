"""Settings of the whole test suite."""

import hypothesis

# The first example of a test pays for imports and warm-up: a deadline would measure those.
hypothesis.settings.register_profile("fastgrok", deadline=None, max_examples=50)
hypothesis.settings.load_profile("fastgrok")
