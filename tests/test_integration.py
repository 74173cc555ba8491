"""The pre-commit hook, run by pre-commit, and the action's script, run as GitHub does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.process import ENVIRONMENT

ROOT = Path(__file__).parent.parent
ACTION = ROOT / ".github" / "actions" / "check"
GOOD = '[case.stem]\nexpand = 6\noutput = "1x64x224x224"\nmax_params = "2k"\n'
BAD = GOOD.replace('"2k"', '"1k"')


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=cwd,
        env={**ENVIRONMENT, "PATH": tools, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = run("git", *identity, *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    """A repository that holds nothing but our hooks."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    manifest = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    (folder / ".pre-commit-hooks.yaml").write_text(manifest, "utf-8")
    git(folder, "init", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "hooks")
    return folder


def test_pre_commit_stops_a_commit_that_breaks_a_limit(hooks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    # mbv2 is installed here already: pre-commit need not build an environment for it
    hook = {"id": "mbv2-check", "language": "system"}
    repository = {"repo": str(hooks), "rev": git(hooks, "rev-parse", "HEAD"), "hooks": [hook]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repository]}))
    (folder / "mbv2.toml").write_text(GOOD)
    git(folder, "init", "-b", "main")
    git(folder, "add", ".")
    home = {"PRE_COMMIT_HOME": str(tmp_path / "cache")}
    passed = run(sys.executable, "-m", "pre_commit", "run", cwd=folder, **home)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "mbv2 check" in passed.stdout
    assert "Passed" in passed.stdout
    (folder / "mbv2.toml").write_text(BAD)
    git(folder, "add", ".")
    failed = run(sys.executable, "-m", "pre_commit", "run", cwd=folder, **home)
    assert failed.returncode == 1
    assert re.search(r"FAIL +params +1,568 +<= 1,000 +1\.6 × over", failed.stdout)


def test_the_hook_is_torch_free() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["entry"] == "mbv2 check --no-forward"


def test_the_action_installs_the_cpu_build_of_torch_before_mbv2() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    (install,) = (step for step in action["runs"]["steps"] if step.get("name") == "Install")
    torch, own = install["run"].splitlines()
    assert torch.endswith(" torch --index-url https://download.pytorch.org/whl/cpu")
    folder = own.split()[-1].strip('"').replace("$GITHUB_ACTION_PATH", str(ACTION))
    assert Path(folder).resolve() == ROOT


@pytest.mark.parametrize(("config", "code"), [(GOOD, 0), (BAD, 1)])
@pytest.mark.parametrize("forward", ["false", "true"])
def test_the_action_annotates_and_summarises(
    tmp_path: Path, config: str, code: int, forward: str
) -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    step = action["runs"]["steps"][-1]
    assert step["run"] == '"$GITHUB_ACTION_PATH/check.sh"'
    assert set(step["env"]) == {"MBV2_CONFIG", "MBV2_FORWARD"}
    (tmp_path / "mbv2.toml").write_text(config)
    summary = tmp_path / "summary.md"
    done = run(
        *("bash", "-e", "-o", "pipefail", "-c", step["run"]),
        cwd=tmp_path,
        GITHUB_ACTION_PATH=str(ACTION),
        GITHUB_ACTIONS="true",
        GITHUB_WORKSPACE=str(tmp_path),
        GITHUB_STEP_SUMMARY=str(summary),
        MBV2_CONFIG="mbv2.toml",
        MBV2_FORWARD=forward,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert ("::error file=mbv2.toml,line=1,title=mbv2%3A stem::" in done.stdout) is bool(code)
    assert "mbv2 check: 1 case" in summary.read_text("utf-8")
    agreed = "plan and forward pass agree" if forward == "true" else "by the plan alone"
    assert agreed in done.stdout
