"""SLEAP: a project file (.slp), written and read by sleap-io.

Labels are predicted instances, since only those have scores; each has a track of its own, whose name is its annotation
id. SLEAP makes an instance of a prediction that is corrected, with the same track.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lib.exchange.labels import Answer, Exchange, Instance, LabelledImage, Returned
from lib.utils.errors import InputError
from lib.utils.files import path_atomically

PROJECT = "labels.slp"


def write(exchange: Exchange, folder: Path) -> None:
    """Write the project: a video for all images of one size, since those of a video have the same.

    Raises:
        InputError: sleap-io is not installed.
    """
    sio = _sleap_io()
    skeleton = sio.Skeleton(
        list(exchange.joints),
        edges=list(exchange.lines),
        symmetries=list(exchange.pairs),
        name=exchange.category,
    )
    frames = []
    for images in _videos(exchange):
        video = _video(sio, images)
        for k, image in enumerate(images):
            instances = [_predicted(sio, skeleton, instance) for instance in image.instances]
            frames.append(sio.LabeledFrame(video=video, frame_idx=k, instances=instances))
    labels = sio.Labels(frames)
    with path_atomically(folder / PROJECT) as temporary:
        labels.save(str(temporary), embed=False, verbose=False)


def read(path: Path, exchange: Exchange) -> Answer:
    """Read a project that SLEAP or sleap-io saved.

    Raises:
        InputError: it is no such file, has other joints, or sleap-io is not installed.
    """
    sio = _sleap_io()
    if not path.is_file():
        raise InputError(f"{path}: is no file; expected a project of SLEAP (.slp)")
    try:
        labels = sio.load_slp(str(path), open_videos=False)
    except Exception as problem:  # whatever h5py and sleap-io find wrong with it
        raise InputError(f"{path}: cannot be read as a project of SLEAP ({problem})") from None
    by_path = {image.path or image.source: image for image in exchange.images}
    images: dict[str, list[Returned]] = {}
    for frame in labels.labeled_frames:
        names = frame.video.filename
        name = names[frame.frame_idx] if isinstance(names, list) else names
        image = by_path.get(str(name)) or exchange.image(str(name))
        instances = _corrected(list(frame.instances))
        found = [_returned(path, exchange, instance) for instance in instances]
        images.setdefault(image.name if image is not None else str(name), []).extend(found)
    return Answer(images)


def _sleap_io() -> ModuleType:
    try:
        import sleap_io
    except ImportError:
        raise InputError(
            "SLEAP's projects need sleap-io, which is not installed: pip install sleap-io"
        ) from None
    return sleap_io


def _video(sio: ModuleType, images: list[LabelledImage]) -> Any:
    """A video of images, none of which is opened."""
    names = [image.path or image.source for image in images]
    video = sio.Video(filename=names, open_backend=False)
    width, height = images[0].known_size or (None, None)
    # Without a type, sleap-io 0.9.5 writes a list of names that it cannot read again.
    video.backend_metadata |= {
        "type": "ImageVideo", "filename": names[0], "filenames": names, "grayscale": False, "fps": None,
        "shape": None if width is None else [len(names), height, width, 3],
        "height_": height, "width_": width, "channels_": 3,
    }  # fmt: skip
    return video


def _predicted(sio: ModuleType, skeleton: Any, instance: Instance) -> Any:
    places = np.array([point.place or (np.nan, np.nan) for point in instance.points])
    scores = np.array(
        [
            np.nan
            if point.place is None or point.suspicion is None or point.suspicion.probability is None
            else 1 - point.suspicion.probability
            for point in instance.points
        ]
    )
    known = scores[~np.isnan(scores)]
    return sio.PredictedInstance.from_numpy(
        places,
        skeleton,
        point_scores=np.nan_to_num(scores, nan=1.0),
        score=float(known.min()) if len(known) else 1.0,
        track=sio.Track(str(instance.number)),
    )


def _videos(exchange: Exchange) -> list[list[LabelledImage]]:
    """The images by their size; each whose size is not known for itself."""
    videos: dict[object, list[LabelledImage]] = {}
    for image in exchange.images:
        videos.setdefault(image.known_size or image.name, []).append(image)
    return list(videos.values())


def _corrected(instances: list[Any]) -> list[Any]:
    """Without the predictions of which there is an instance, with the same track or made from them."""
    own = [instance for instance in instances if not _is_prediction(instance)]
    tracks = {_track(instance) for instance in own}
    return own + [
        instance for instance in instances if _is_prediction(instance) and _track(instance) not in tracks
    ]


def _is_prediction(instance: Any) -> bool:
    return type(instance).__name__ == "PredictedInstance"


def _track(instance: Any) -> str:
    for each in (instance, instance.from_predicted):
        if each is not None and each.track is not None:
            return each.track.name
    return ""


def _returned(path: Path, exchange: Exchange, instance: Any) -> Returned:
    if lacking := set(exchange.joints) - set(instance.skeleton.node_names):
        raise InputError(
            f"{path}: its skeleton has no {min(lacking)}; expected the joints that were given to it"
        )
    track = _track(instance)
    points = dict(zip(instance.skeleton.node_names, instance.numpy().tolist()))
    places = {
        joint: (points[joint][0], points[joint][1])
        for joint in exchange.joints
        if not np.isnan(points[joint]).any()
    }
    return Returned(int(track) if track.lstrip("-").isdecimal() else None, places)
