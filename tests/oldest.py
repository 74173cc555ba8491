"""Writes the lowest versions that pyproject.toml allows, as constraints for pip (make oldest)."""

from __future__ import annotations

import tomllib
from pathlib import Path


def main() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = [one for extra in ("cluster", "parquet", "plot") for one in extras[extra]]
    for requirement in (*project["dependencies"], *optional):
        print(requirement.partition(",")[0].replace(">=", "=="))


if __name__ == "__main__":
    main()
