"""The comments of the protos, which are the API's documentation.

Descriptors linked into the generated modules carry none; the descriptor set built beside them does.
"""

import re
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import opsfield
from kit.contract import ContractError

# Where the comment that opens a file is attached: to its syntax statement.
_SYNTAX = [FileDescriptorProto.DESCRIPTOR.fields_by_name["syntax"].number]


def load(path: Path | None = None) -> dict[str, str]:
    """Comments by full name (`opsfield.ops.v1.Ticket.subject`; an enum's value below its enum) and by file name. Raises
    ContractError when the descriptor set is missing."""
    path = path or Path(next(iter(opsfield.__path__))).parent / "descriptors.binpb"
    if not path.is_file():
        raise ContractError(f"{path} is missing: generate it from the protos")
    comments = {}
    for file in FileDescriptorSet.FromString(path.read_bytes()).file:
        for location in file.source_code_info.location:
            text = (location.leading_comments or location.trailing_comments).strip()
            if text and (name := _name(file, list(location.path))):
                comments[name] = _unwrap(text)
    return comments


def summary(comment: str) -> str:
    """The gist of its first sentence: `List tickets`."""
    first, *_ = comment.split("\n\n", 1)
    return re.split(r"[.:;] |\.$| \(", first, maxsplit=1)[0]


def _name(file: FileDescriptorProto, path: list[int]) -> str | None:
    """Follows field numbers and indexes from the file down; None where the end has no name (options, say)."""
    if path == _SYNTAX:
        return file.name
    if len(path) % 2:
        return None
    node: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=True):
        field = node.DESCRIPTOR.fields_by_number.get(number)
        if field is None or not field.is_repeated or field.message_type is None:
            return None
        node = getattr(node, field.name)[index]
        if "name" not in node.DESCRIPTOR.fields_by_name:
            return None
        names.append(node.name)
    return ".".join(names)


def _unwrap(comment: str) -> str:
    """Lines of a paragraph become one; paragraphs stay."""
    paragraphs = comment.split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in each.splitlines()) for each in paragraphs)
