"""The lab's driver package: name and version of the vendor's, carrying the mock NVML under the real nvidia-smi."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from railbed.effects.lab import content, nvml
from railbed.run import run

PACKAGE = "nvidia-open"

CONTROL = """\
Package: {package}
Version: {version}-1
Architecture: amd64
Maintainer: railbed lab <lab@example.invalid>
Section: non-free/libs
Priority: optional
Conflicts: nvidia-smi, libnvidia-ml1
Description: simulated NVIDIA driver of the railbed lab
 A stand-in: it carries a mock NVML that reports this driver version, and device nodes that are null devices.
 It contains no NVIDIA driver.
"""

POSTINST = """\
#!/bin/sh
# Makes the device nodes that a loaded driver would make, one per GPU of the simulated hardware.
set -e
count=$(sed -n 's/^gpus *= *//p' /var/lib/railbed-sim/hardware.ini 2>/dev/null || echo 0)
: > /etc/tmpfiles.d/nvidia-simulated.conf
i=0
while [ "$i" -lt "${count:-0}" ]; do
  echo "c /dev/nvidia$i 0666 root root - 1:3" >> /etc/tmpfiles.d/nvidia-simulated.conf
  i=$((i + 1))
done
systemd-tmpfiles --create /etc/tmpfiles.d/nvidia-simulated.conf
ldconfig
"""

POSTRM = """\
#!/bin/sh
set -e
[ "$1" != purge ] || rm -f /etc/tmpfiles.d/nvidia-simulated.conf
"""


def build_driver_packages(tools: Path, target: Path, smi: Path | None) -> None:
    """Writes one package file per driver version into ``target``; ``smi`` is left out where it could not be fetched."""
    with tempfile.TemporaryDirectory(prefix="railbed-driver-") as folder:
        work = Path(folder)
        compiler = nvml.Compiler(nvml.fetch_header(tools, work), work)
        for version in content.DRIVER_VERSIONS:
            root = work / f"package-{version}"
            _tree(root, version, compiler.library(version), smi)
            run(["dpkg-deb", "--root-owner-group", "-b", root, target / f"{PACKAGE}_{version}-1_amd64.deb"])


def _tree(root: Path, version: str, library: Path, smi: Path | None) -> None:
    control = root / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(CONTROL.format(package=PACKAGE, version=version))
    for name, text in (("postinst", POSTINST), ("postrm", POSTRM)):
        script = control / name
        script.write_text(text)
        script.chmod(0o755)
    lib = root / "usr/lib/x86_64-linux-gnu"
    lib.mkdir(parents=True)
    shutil.copy(library, lib / "libnvidia-ml.so.1")
    (root / "etc/tmpfiles.d").mkdir(parents=True)
    if smi is not None:
        (root / "usr/bin").mkdir(parents=True)
        shutil.copy(smi, root / "usr/bin/nvidia-smi")
        (root / "usr/bin/nvidia-smi").chmod(0o755)
