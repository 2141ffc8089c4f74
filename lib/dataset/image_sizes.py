"""Width and height of the images of an annotation file that does not give them, from the images themselves."""

from typing import NamedTuple

from lib.dataset.coco_file import COCOFile, COCOImage
from lib.dataset.image_header import TRANSPOSED, ImageHeader
from lib.dataset.images import ImageFolder, header_of

SIZES_READ = "sizes of images, from the images"  # in the notes on a file without width and height
COMPARED = 64  # images with a size that tell whether the labels of a file refer to upright pictures

Size = tuple[float, float]


class ImageSizes(NamedTuple):
    """Sizes of images.

    of: {image id: (width, height)} in pixels; NaN if unknown.
    read: ids of the images whose size is not the annotation file's.
    """

    of: dict[int, Size]
    read: frozenset[int]


def image_sizes(coco: COCOFile, images: ImageFolder | None, image_ids: list[int]) -> ImageSizes:
    """Width and height of each of ``image_ids``, from the annotation file or else from the image itself.

    An image that is turned by its EXIF orientation has the size of the upright picture if other images of the
    file were labelled so.

    Args:
        images: folder of the images; None: only what the annotation file says. The size of an image that is
            missing or cannot be read stays unknown.

    Raises:
        InputError: the name of an image is no text.
    """
    chosen = {number: coco.images[number] for number in dict.fromkeys(image_ids)}
    sizes = {number: (image.width, image.height) for number, image in chosen.items()}
    unknown = [number for number, image in chosen.items() if not image.width > 0]
    if images is None or not unknown:
        return ImageSizes(sizes, frozenset())
    read, upright = [], None
    for number in unknown:
        header = _header(coco, number, images)
        if header is None:
            continue
        if header.orientation >= TRANSPOSED and upright is None:
            upright = _labelled_upright(coco, chosen, images)
        width, height = header.upright_size if upright else header.size
        sizes[number] = float(width), float(height)
        read.append(number)
    return ImageSizes(sizes, frozenset(read))


def _header(coco: COCOFile, number: int, images: ImageFolder) -> ImageHeader | None:
    """The header of an image; None if it is missing or cannot be read."""
    found = images.find(coco.images[number].file_name, f"{coco.path}: image {number}")
    return header_of(found[0]) if len(found) == 1 else None


def _labelled_upright(coco: COCOFile, chosen: dict[int, COCOImage], images: ImageFolder) -> bool:
    """Whether images with a size in the file were labelled as upright pictures, and none as stored."""
    stored = upright = 0
    for number in [number for number, image in chosen.items() if image.width > 0][:COMPARED]:
        header = _header(coco, number, images)
        if header is not None and header.size != header.upright_size:
            size = chosen[number].width, chosen[number].height
            stored += size == header.size
            upright += size == header.upright_size
    return upright > 0 and stored == 0
