"""Checks of the network's joints, and of how source and target keypoints are mapped to them."""

from lib.config.schema import Config
from lib.dataset.joints import mapping_of
from lib.dataset.keypoints import JointMapping
from lib.dataset.layouts import training_set
from lib.dataset.skeleton import Skeleton
from lib.doctor.findings import Finding, error, ok, warning
from lib.utils.errors import InputError


def check_joints(config: Config, uses_source: bool) -> tuple[list[Finding], tuple[str, ...]]:
    """Check the mapping of joints.

    Returns:
        Findings, and the lines of a table with a row for each joint; no table if a mapping is invalid.
    """
    target, source = config.dataset_target, config.dataset_src
    try:
        target_mapping = mapping_of(config, training_set(target))
        source_mapping = mapping_of(config, training_set(source)) if uses_source else None
    except InputError as problem:
        return [error("joints", str(problem), "see the names that it lists")], ()
    names = target_mapping.names
    findings = [ok("joints of the network", f"{len(names)}: {', '.join(names)}")]
    if source_mapping is not None:
        findings += check_source_mapping(source_mapping, target_mapping, dict(source.joints))
    findings += check_sides(target_mapping.skeleton, target.flip or (uses_source and source.flip))
    return findings, mapping_table(target_mapping, source_mapping)


def check_source_mapping(
    source: JointMapping, target: JointMapping, renamed: dict[str, str]
) -> list[Finding]:
    """Findings on joints that the source approximates, lacks, or has under another name.

    Args:
        renamed: DATASET_SRC.JOINTS, {network joint: source keypoint}.
    """
    findings = []
    approximated = [
        f"{joint} ({target_keypoint} in the target, {source_keypoint} in the source)"
        for joint, target_keypoint, source_keypoint in zip(target.names, target.native, source.native)
        if source_keypoint not in (target_keypoint, None) and joint not in renamed
    ]
    if approximated:
        advice = (
            "a systematic shift of labels, which the ignoring weights may detect; if it is intended, or another "
            "keypoint fits better, name it in DATASET_SRC.JOINTS"
        )
        findings.append(warning("approximated joints", ", ".join(approximated), advice))
    pairs = [f"{joint} from {keypoint}" for joint, keypoint in renamed.items() if keypoint]
    if pairs:
        findings.append(ok("joints that DATASET_SRC.JOINTS names", ", ".join(pairs)))
    if source.missing:
        advice = "learned from the target only; if the source has them under another name, map it in DATASET_SRC.JOINTS"
        findings.append(warning("joints that the source lacks", ", ".join(source.missing), advice))
    unused = [keypoint for keypoint in source.unused if keypoint not in target.native]
    if unused:
        findings.append(ok("dropped keypoints of the source", ", ".join(unused)))
    return findings


def check_sides(skeleton: Skeleton, flips: bool) -> list[Finding]:
    """Findings on left and right joints; ``flips``: images are flipped in training."""
    unpaired = skeleton.one_sided
    pairs = [f"{left} / {right}" for left, right in skeleton.pairs]
    findings = [ok("left and right", ", ".join(pairs) or "no joint has a side")]
    if unpaired and flips:
        advice = "name its counterpart so that only left and right differ, or set FLIP false"
        result = f"{', '.join(unpaired)}: keeps its label when the image is flipped"
        findings.append(warning("joints of one side alone", result, advice))
    return findings


def mapping_table(target: JointMapping, source: JointMapping | None) -> tuple[str, ...]:
    """Lines with the names of each joint: in the network, the target, and the source ("-" if it is missing)."""
    columns = [("network", target.names), (f"target ({target.dataset})", target.native)]
    if source is not None:
        keypoints = tuple(keypoint or "-" for keypoint in source.native)
        columns.append((f"source ({source.dataset})", keypoints))
    widths = [max(map(len, (title, *cells))) for title, cells in columns]
    rows = [tuple(title for title, _ in columns), *zip(*(cells for _, cells in columns))]
    return tuple("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
