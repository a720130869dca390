"""``python -m tests.documents`` writes the generated parts anew."""

from __future__ import annotations

from tests.documents.parts import FILES, updated

for file in FILES:
    file.write_text(updated(file.read_text(encoding="utf-8")), encoding="utf-8")
