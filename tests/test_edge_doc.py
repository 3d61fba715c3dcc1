"""docs/EDGE.md: the Python of a service runs as it stands, with the shipped model."""

import asyncio
import re
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parent.parent / "docs" / "EDGE.md").read_text(encoding="utf-8")


def test_a_service_gives_pictures_and_says_what_is_wrong():
    """Bytes of a PNG from several threads at once; a name that is no class is told, not raised."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "EDGE.md", "exec"), names)

    async def serve():
        return await asyncio.gather(*map(names["answer"], ("cat", "sun", "cta")))

    *pictures, refusal = asyncio.run(serve())
    assert [each[:8] for each in pictures] == [b"\x89PNG\r\n\x1a\n"] * 2
    assert b"the nearest: cat" in refusal
