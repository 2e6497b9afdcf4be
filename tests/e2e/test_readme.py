"""The README's walk-through works as pasted."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.server import ROOT, Server


def test_the_walk_through_works_as_pasted(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server()
    readme = (ROOT / "README.md").read_text("utf-8")
    script = re.search(r"```bash\n(.*?)```", readme, re.DOTALL)
    assert script is not None
    pasted = script[1].replace("http://localhost:8000", server.url)

    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", pasted],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The same bytes came back." in ran.stdout
    assert '"File deleted"' in ran.stdout
