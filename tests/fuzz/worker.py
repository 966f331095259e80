"""What a process of __main__.py does."""

import importlib
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = {"calls": "calls", "files": "changed_files", "steps": "machine", "machine": "machine"}
MOST_FINDINGS = 20


def _corpus(target: str) -> list[int]:
    file = HERE / "corpus" / f"{target}.txt"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def work(target: str, seed: int, seconds: float, now: Any, tried: Any, found: Any) -> None:
    """Run inputs until the time is over; `now` holds the one under way."""
    module = importlib.import_module(MODULES[target])
    run = getattr(module, target)
    end = time.monotonic() + seconds
    seen: set[str] = set()
    numbers = _corpus(target)
    while time.monotonic() < end and found.value < MOST_FINDINGS:
        if numbers:
            now.value = numbers.pop(0)
        else:
            now.value, seed = seed, seed + 1
        try:
            run(now.value)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            if (kind := text[:70]) not in seen:
                seen.add(kind)
                found.value += 1
                print(f"{target} --input {now.value}: {text[:1000]}", flush=True)
        tried.value += 1
    getattr(module, "close", lambda: None)()
