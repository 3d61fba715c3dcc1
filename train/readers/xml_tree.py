"""An SVG file as a tree of elements, read by expat with everything switched off that XML can do to a reader.

No entity is ever defined, so none can grow; nothing outside the file is opened; depth, number and size are bounded
while the file is read and not after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat  # refuses what makes XML dangerous by the handlers below

from sketch_edge.runtime.errors import DataError

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

MOST_ELEMENTS = 50_000
MOST_DEPTH = 128
"""Of elements within elements; editors nest groups a dozen deep."""

LONGEST_VALUE = 1 << 14
"""Characters of an attribute that is kept: what is longer is a picture, or an editor's note to itself."""

LONG = ("d", "points", "transform")
"""Attributes of any length."""

MOST_STYLE = 1 << 19
"""Characters in style elements together; some editors put the fonts of a drawing into them."""

SAVE_AGAIN = "save it again as plain SVG"


@dataclass(slots=True)
class Element:
    """One element of SVG; those of other namespaces (an editor's notes about itself) are not kept."""

    tag: str
    """Local name, such as "path"."""

    attributes: dict[str, str]
    """By local name; "href" whether it was written with or without xlink. None but LONG is over LONGEST_VALUE."""

    children: list[Element] = field(default_factory=list)
    text: str = ""
    """Of a style element; others have none here."""


def read_tree(content: bytes, where: str) -> Element:
    """Read the elements of an SVG file; `where` names it in an error.

    Raises:
        DataError: no well-formed XML, no SVG, an internal DTD, or more or deeper elements than a drawing has.
    """
    builder = _Builder(where)
    parser = expat.ParserCreate()  # its own namespaces write a name of a megabyte out before every attribute
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.EntityDeclHandler = builder.entity
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise DataError(f"{where}:{error.lineno}: is no well-formed XML ({problem}); {SAVE_AGAIN}") from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not have, or cannot have
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: is in an encoding that cannot be read ({error}); save it as UTF-8") from error
    if builder.root is None:
        builder.refuse("holds no svg element")
    return builder.root


class _Builder:
    """Handlers of expat that build the tree."""

    def __init__(self, where: str) -> None:
        self.root: Element | None = None
        self._where = where
        self._open: list[Element | None] = []
        """The elements around the place that is read; None for those that are not kept."""
        self._spaces: list[dict[str, str]] = []
        """The namespaces that each of these declares, by prefix."""
        self._count = 0
        self._style = 0

    def refuse(self, problem: str) -> NoReturn:
        raise DataError(f"{self._where}: {problem}; {SAVE_AGAIN}")

    def doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        """The usual line with SVG's public name is harmless, as nobody fetches it; declarations of its own are not."""
        if internal:
            self.refuse("declares a document type of its own (entities can hide anything)")

    def entity(self, *_: object) -> None:
        self.refuse("defines entities")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            self.refuse(f"has over {MOST_ELEMENTS} elements (one drawing was expected)")
        if len(self._open) >= MOST_DEPTH:
            self.refuse(f"nests elements over {MOST_DEPTH} deep")
        declared = (key for key in attributes if key == "xmlns" or key.startswith("xmlns:"))
        self._spaces.append({key[6:]: attributes[key] for key in declared})
        prefix, _, tag = name.rpartition(":")
        ours = self._space(prefix) in (SVG, "")
        if self.root is None:
            if tag != "svg" or not ours:
                self.refuse(f"starts with the element {tag[:40]!r} (expected svg)")
            self.root = Element(tag, self._local(attributes))
            self._open.append(self.root)
            return
        parent = self._open[-1] if self._open else None
        element = Element(tag, self._local(attributes)) if parent is not None and ours else None
        if parent is not None and element is not None:
            parent.children.append(element)
        self._open.append(element)

    def end(self, _: str) -> None:
        self._open.pop()
        self._spaces.pop()

    def characters(self, text: str) -> None:
        element = self._open[-1] if self._open else None
        if element is not None and element.tag == "style":
            self._style += len(text)
            if self._style > MOST_STYLE:
                self.refuse(f"has over {MOST_STYLE} characters of style sheets")
            element.text += text

    def _local(self, attributes: dict[str, str]) -> dict[str, str]:
        """Attributes of SVG by their local names; an href without a prefix goes before xlink's, as SVG 2 has it."""
        kept = {name: value for name, value in attributes.items() if len(value) <= LONGEST_VALUE or name in LONG}
        local = {name: value for name, value in kept.items() if ":" not in name}
        for name, value in kept.items():
            if name.endswith(":href") and self._space(name.removesuffix(":href")) == XLINK:
                local.setdefault("href", value)
        return local

    def _space(self, prefix: str) -> str | None:
        """The namespace that a prefix stands for here; "" for none at all, None for a prefix that nobody declared."""
        for declared in reversed(self._spaces):
            if prefix in declared:
                return declared[prefix]
        return None if prefix else ""
