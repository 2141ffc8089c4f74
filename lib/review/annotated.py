"""What the annotation file says beside the labels: sizes of images, and who labelled an instance."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lib.dataset.annotations import read_json
from lib.review.found import LabelFile

ANNOTATOR = ("annotator", "annotator_id")  # fields of an annotation, the first one that it has counts


@dataclass(frozen=True)
class Annotated:
    """sizes: {image name: width and height}; annotators: {annotation id: name}. Of what the file has."""

    sizes: Mapping[str, tuple[int, int]]
    annotators: Mapping[int, str]


@functools.lru_cache(maxsize=1)
def read_annotated(file: LabelFile) -> Annotated:
    """Read it from a file in COCO's format; MPII's has neither."""
    content = {} if file.layout == "mpii" else read_json(Path(file.path))
    sizes, annotators = {}, {}
    for image in _entries(content, "images"):
        size = image.get("width"), image.get("height")
        if isinstance(image.get("file_name"), str) and all(_is_length(length) for length in size):
            sizes[image["file_name"]] = (int(size[0]), int(size[1]))
    for annotation in _entries(content, "annotations"):
        name = next((annotation[field] for field in ANNOTATOR if annotation.get(field) is not None), "")
        if name != "" and type(annotation.get("id")) is int:
            annotators[annotation["id"]] = str(name)
    return Annotated(MappingProxyType(sizes), MappingProxyType(annotators))


def _entries(content: Any, name: str) -> list[dict]:
    entries = content.get(name) if isinstance(content, dict) else None
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _is_length(length: Any) -> bool:
    return type(length) in (int, float) and length >= 1
