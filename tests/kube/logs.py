"""What KWOK plays of the pods of checks: they end at once, and their log is a file, as no program of theirs ever ran."""

from __future__ import annotations

from pathlib import Path

from railbed.effects.kubernetes.check_jobs import LABEL

CONFIG = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {{name: checks-end}}
spec:
  resourceRef: {{apiGroup: v1, kind: Pod}}
  selector:
    matchExpressions:
    - {{key: '.metadata.deletionTimestamp', operator: DoesNotExist}}
    - {{key: '.status.phase', operator: In, values: [Running]}}
    - {{key: '.metadata.labels["{label}"]', operator: Exists}}
  next:
    statusTemplate: |
      {{{{ $root := . }}}}
      containerStatuses:
      {{{{ range $index, $item := .spec.containers }}}}
      - image: {{{{ $item.image | Quote }}}}
        name: {{{{ $item.name | Quote }}}}
        ready: false
        restartCount: 0
        started: false
        state:
          terminated: {{exitCode: 0, reason: Completed, finishedAt: {{{{ Now | Quote }}}}, startedAt: {{{{ Now | Quote }}}}}}
      {{{{ end }}}}
      phase: Succeeded
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {{name: checks}}
spec:
  logs:
  - {{containers: [checks], logsFile: "{log}", follow: false}}
"""
"""The stage is KWOK's own `pod-complete`, for these pods alone."""


def configured(folder: Path) -> tuple[Path, Path]:
    """File for KWOK's ``--config``, and the log, which is empty: whoever writes into it says what all such pods printed."""
    config, log = folder / "checks.yaml", folder / "checks.log"
    log.touch()
    config.write_text(CONFIG.format(label=LABEL, log=log))
    return config, log


def write(log: Path, text: str) -> None:
    """As container runtimes keep a log (kubernetes, CRI): each line with its time, stream, and `F` where it is whole."""
    log.write_text("".join(f"2026-12-01T00:00:00.000000000Z stdout F {line}\n" for line in text.splitlines()))
