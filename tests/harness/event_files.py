"""Tensorboard's event files read as their format says: records of length, checksum, data, checksum."""

from tensorboardX.proto import event_pb2


def records(path):
    """The events of a file."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        yield event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
        at += 16 + length


def values_of(folder):
    """{tag: values} of all files of a run, in order."""
    found = {}
    for path in sorted(folder.glob("events*")):
        for event in records(path):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(value)
    return found
