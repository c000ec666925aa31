"""Ask another harness: its own functions run in one subprocess, all cases at once.

```
rows = ask("lmms_eval", "from lmms_eval.api.metrics import anls\\ndef answer(case): return anls(*case)", cases)
```

A test file in this folder says `from oracle import ask`. The other harness never enters the test process: it is slow to
import, it changes global state (VLMEvalKit switches off the verification of TLS certificates), and its modules want
torchvision, which is replaced by an empty stand-in.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "OPENAI_API_KEY": "x",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PRED_FORMAT": "tsv",
}

# Run by the subprocess: argv[1] is a file with {"code", "cases"}, argv[2] the file of results. Not stdout, which the
# harnesses print to. An attribute of a stand-in is a class that anything may inherit from, call or decorate with.
# `vlmeval` and `vlmeval.dataset` are empty packages around the real modules, because their own `__init__` imports
# every model and every benchmark; the packages of the last finder,
# where they aren't installed, colour, plot and check addresses, and compute nothing.
PROGRAM = """
import importlib.abc, importlib.machinery, json, sys, types

class Kind(type):
    def __getattr__(cls, name):
        if name.startswith("__"): raise AttributeError(name)
        return Anything()

class Anything(metaclass=Kind):
    def __init__(self, *args, **kwargs): pass
    def __call__(self, *args, **kwargs): return self
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return Anything()

class StandIn(types.ModuleType):
    __path__ = []
    __version__ = "0.25.0"
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return type(name, (Anything,), {})

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, *names): self.names = names
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec): return StandIn(spec.name)
    def exec_module(self, module): pass

sys.meta_path.insert(0, Finder("torchvision"))
sys.meta_path.append(Finder("matplotlib", "sty", "termcolor", "validators", "xlsxwriter"))
for name in ("vlmeval", "vlmeval.dataset"):
    folder = importlib.machinery.PathFinder.find_spec("vlmeval")
    if folder is not None:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [folder.submodule_search_locations[0] + name[7:].replace(".", "/")]
task = json.load(open(sys.argv[1], encoding="utf-8"))
names = {"__name__": "oracle_code"}
exec(compile(task["code"], "oracle_code", "exec"), names)
results = []
for case in task["cases"]:
    try:
        results.append(names["answer"](case))
    except Exception as error:
        results.append({"error": f"{type(error).__name__}: {error}"})
json.dump(results, open(sys.argv[2], "w", encoding="utf-8"))
"""


def ask(
    package: str,
    code: str,
    cases: Sequence[Any],
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> list[Any]:
    """What `answer(case)`, a function that `code` defines, returns for each of the cases; all of it JSON.

    A case at which it raises gives {"error": "ValueError: ..."}. The test that asks is skipped where `package` isn't
    installed. Raises `RuntimeError` with the end of what the subprocess printed where the code as a whole fails.
    """
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"the oracle {package} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder, "asked.json"), Path(folder, "told.json")
        asked.write_text(json.dumps({"code": code, "cases": list(cases)}), encoding="utf-8")
        variables = {**os.environ, **ENVIRONMENT, "HF_HOME": folder, "LMUData": folder, **(environment or {})}
        command = [sys.executable, "-c", PROGRAM, str(asked), str(told)]
        done = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, timeout=timeout)
        if not told.exists():
            raise RuntimeError(f"the oracle {package} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
        results: list[Any] = json.loads(told.read_text(encoding="utf-8"))
    return results
