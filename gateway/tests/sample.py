"""A message with every kind of field that the contract may hold one day, made at run time."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2, text_format, timestamp_pb2

from opsfield.options.v1 import field_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "opsfield.gateway_tests"


def _field(
    number: int, name: str, kind: _Field.Type.ValueType, *, type_name: str | None = None, oneof: int | None = None
) -> _Field:
    found = _Field(
        name=name, json_name=name, number=number, type=kind, label=_Field.LABEL_OPTIONAL, type_name=type_name
    )
    if oneof is not None:
        found.oneof_index = oneof
    return found


def _labels() -> tuple[_Field, descriptor_pb2.DescriptorProto]:
    """A map from string to string of at most two entries."""
    field = _field(6, "labels", _Field.TYPE_MESSAGE, type_name=f".{_PACKAGE}.Sample.LabelsEntry")
    field.label = _Field.LABEL_REPEATED
    text_format.Parse("[opsfield.options.v1.field] {max_items: 2}", field.options)
    entry = descriptor_pb2.DescriptorProto(name="LabelsEntry", options=descriptor_pb2.MessageOptions(map_entry=True))
    entry.field.extend([_field(1, "key", _Field.TYPE_STRING), _field(2, "value", _Field.TYPE_STRING)])
    return field, entry


def _file() -> descriptor_pb2.FileDescriptorProto:
    labels, entry = _labels()
    message = descriptor_pb2.DescriptorProto(name="Sample", nested_type=[entry])
    message.field.extend(
        [
            _field(1, "at", _Field.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp"),
            _field(2, "big", _Field.TYPE_INT64),
            _field(3, "small", _Field.TYPE_INT32),
            _field(4, "ratio", _Field.TYPE_DOUBLE),
            _field(5, "flag", _Field.TYPE_BOOL),
            labels,
            _field(7, "input", _Field.TYPE_MESSAGE, type_name=".google.protobuf.Struct"),
            _field(8, "left", _Field.TYPE_STRING, oneof=0),
            _field(9, "right", _Field.TYPE_STRING, oneof=0),
        ]
    )
    message.oneof_decl.add(name="choice")
    tree = descriptor_pb2.DescriptorProto(
        name="Tree", field=[_field(1, "branch", _Field.TYPE_MESSAGE, type_name=f".{_PACKAGE}.Tree")]
    )
    unfit = descriptor_pb2.DescriptorProto(name="Unfit", field=[_field(1, "raw", _Field.TYPE_BYTES)])
    return descriptor_pb2.FileDescriptorProto(
        name="opsfield/gateway_tests/sample.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[timestamp_pb2.DESCRIPTOR.name, struct_pb2.DESCRIPTOR.name, field_pb2.DESCRIPTOR.name],
        message_type=[message, tree, unfit],
    )


_pool = descriptor_pool.Default()
_pool.Add(_file())

MESSAGE = _pool.FindMessageTypeByName(f"{_PACKAGE}.Sample")
TREE = _pool.FindMessageTypeByName(f"{_PACKAGE}.Tree")
UNFIT = _pool.FindMessageTypeByName(f"{_PACKAGE}.Unfit")
CLASS = message_factory.GetMessageClass(MESSAGE)
