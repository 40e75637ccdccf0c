"""Contracts compiled on the spot."""

import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import google.api.annotations_pb2
import grpc_tools
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    timestamp_pb2,
)
from google.protobuf.descriptor import Descriptor, FileDescriptor
from grpc_tools import protoc

from kit import contract
from opsfield.common.v1 import page_pb2

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "sample" / "sample.proto"

# What a proto imports must be known before it: these modules make it so.
_IMPORTABLE = (contract, page_pb2, empty_pb2, field_mask_pb2, timestamp_pb2, google.api.annotations_pb2)
_INCLUDES = (
    REPOSITORY / "protos",
    Path(google.api.annotations_pb2.__file__).parents[2],
    Path(grpc_tools.__file__).parent / "_proto",
)


def compile_proto(text: str) -> FileDescriptor:
    """The descriptor of a proto file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        # Each file has a name of its own, since all live in one pool.
        source = Path(folder) / f"proto_{uuid.uuid4().hex}.proto"
        source.write_text(text)
        output = Path(folder) / "descriptors"
        includes = [f"-I{each}" for each in (folder, *_INCLUDES)]
        assert protoc.main(["protoc", *includes, f"--descriptor_set_out={output}", source.name]) == 0
        (file,) = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found: FileDescriptor = pool.FindFileByName(file.name)
    return found


@cache
def sample_file() -> FileDescriptor:
    return compile_proto(SAMPLE.read_text())


def descriptor(name: str) -> Descriptor:
    """A message type of sample.proto."""
    found: Descriptor = sample_file().message_types_by_name[name]
    return found


def message_class(name: str) -> Any:
    """The class of a message of sample.proto."""
    return message_factory.GetMessageClass(descriptor(name))
