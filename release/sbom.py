"""What the bundle is made of: CycloneDX, of the environment that went into it and its Python."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from release import wheel

_QUESTION = """
import platform, sqlite3, ssl
print(platform.python_version(), ssl.OPENSSL_VERSION.split()[1], sqlite3.sqlite_version)
"""


def write(output: Path, at_hand: Path, python: Path, folder: Path) -> None:
    """The bill of materials beside the packages."""
    file = output / f"coffre-agent-{wheel.VERSION}.cdx.json"
    subprocess.run(
        [
            *(at_hand / "cyclonedx-py", "environment", "--output-reproducible"),
            *("--spec-version", "1.6", "--output-file", file, python),
        ],
        check=True,
    )
    told = subprocess.run([python, "-c", _QUESTION], capture_output=True, text=True, check=True)
    names = ("cpython", "openssl", "sqlite")
    bill = json.loads(file.read_text())
    bill["metadata"]["component"] = {
        "type": "application", "name": "coffre-agent", "version": wheel.VERSION,
    }  # fmt: skip
    bill["components"] += [
        {"type": "library", "name": name, "version": version, "bom-ref": f"{name}=={version}"}
        for name, version in zip(names, told.stdout.split(), strict=True)
    ]
    bill["components"] += [
        {"type": "file", "name": each.name, "bom-ref": f"file:{each.name}"}
        for each in sorted(folder.glob("_internal/lib*.so*"))
    ]
    # The environment lies in a folder that is another one at each build.
    text = re.sub(r"file://[^\"]*/", "file:///", json.dumps(bill, indent=1, sort_keys=True))
    file.write_text(text + "\n")
