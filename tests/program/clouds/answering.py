"""HTTP answers that a test made by hand, below a provider's real client: nothing leaves the process."""

from __future__ import annotations

import io
import json
from typing import Any

import requests


class Answering(requests.adapters.BaseAdapter):
    """Answers every request, in their order; the last one stays. Mount it on a client's ``requests`` session."""

    def __init__(self, *answers: Any) -> None:
        """``answers``: status, body and, where there are some, headers."""
        super().__init__()
        self.answers = list(answers)
        self.asked = 0

    def send(self, request: Any, *_: Any, **__: Any) -> Any:
        status, body, *more = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        answer = requests.Response()
        answer.status_code = status
        answer.headers["content-type"] = "application/json"
        answer.headers.update(more[0] if more else {})
        answer._content = json.dumps(body).encode()
        answer.request, answer.url = request, request.url
        answer.raw = io.BytesIO()
        return answer

    def close(self) -> None:
        pass
