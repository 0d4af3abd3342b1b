# SPDX-License-Identifier: MIT
"""Elements of the page: what is made of them is well-formed, and what they contain is escaped."""

import xml.etree.ElementTree as ET


def attribute(value):
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def element(tag, *content, **attributes):
    """An element of text and elements.  An attribute's name has _ for -, and one at its end if it
    is a word of Python's."""
    made = ET.Element(tag, {name.rstrip("_").replace("_", "-"): attribute(value)
                            for name, value in attributes.items()})
    last = None
    for part in content:
        if isinstance(part, ET.Element):
            made.append(part)
            last = part
        elif last is None:
            made.text = (made.text or "") + part
        else:
            last.tail = (last.tail or "") + part
    return made


def html(root):
    return "<!DOCTYPE html>\n" + ET.tostring(root, encoding="unicode", method="html") + "\n"
