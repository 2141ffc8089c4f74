"""Checks of the network's joints, and of how source and target keypoints are mapped to them."""

from lib.dataset.joints import NAMES_PAIRS, mapping_of
from lib.dataset.keypoints import STAND_INS, JointMapping
from lib.dataset.skeleton import Skeleton
from lib.doctor.findings import Finding, error, note, ok, warning
from lib.doctor.request import Request, roles_of
from lib.utils.errors import InputError


def check_joints(request: Request) -> tuple[list[Finding], tuple[str, ...]]:
    """Check the mapping of joints.

    Returns:
        Findings, and the lines of a table with a row for each joint; no table if a mapping is invalid.
    """
    config = request.config
    image_sets = {role.name: role.image_set for role in roles_of(request)}
    source_set = image_sets.pop("source", None)
    own_set = next(iter(image_sets.values()))  # whose keypoints the network has
    try:
        own = mapping_of(config, own_set)
        source = mapping_of(config, source_set) if source_set is not None else None
    except InputError as problem:
        return [error("joints", str(problem), "see the names that it lists")], ()
    findings = [ok("joints of the network", f"{len(own.names)}: {', '.join(own.names)}")]
    if source is not None:
        findings += check_source_mapping(source, own, dict(config.dataset_src.joints))
    findings += check_sides(own.skeleton, mirrored(request))
    return findings, mapping_table(own, source)


def mirrored(request: Request) -> tuple[str, ...]:
    """The settings by which images are mirrored: FLIP of what is trained on, and the flip test."""
    by_setting = {
        f"{role.setting.partition('.')[0]}.FLIP": role.image_set.dataset_config.flip
        for role in roles_of(request)
        if role.batch_size
    }
    by_setting["TEST.FLIP_TEST"] = request.config.test.flip_test
    return tuple(setting for setting, is_on in by_setting.items() if is_on)


def check_source_mapping(
    source: JointMapping, target: JointMapping, renamed: dict[str, str]
) -> list[Finding]:
    """Findings on joints that the source approximates, lacks, or has under another name.

    Args:
        source: mapping of the source.
        target: mapping of the target.
        renamed: DATASET_SRC.JOINTS, {network joint: source keypoint}.
    """
    findings: list[Finding] = []
    known: list[str] = []
    unknown: list[str] = []
    for joint, target_keypoint, source_keypoint in zip(target.names, target.native, source.native):
        if source_keypoint in (target_keypoint, None) or joint in renamed:
            continue
        text = f"{joint} ({target_keypoint} in the target, {source_keypoint} in the source)"
        (known if _is_known_shift(joint, source, target) else unknown).append(text)
    if known:
        advice = "a known systematic shift of labels, which the ignoring weights may detect"
        findings.append(note("approximated joints", ", ".join(known), advice))
    if unknown:
        advice = (
            "a systematic shift of labels, which the ignoring weights may detect; if it is intended, or another "
            "keypoint fits better, name it in DATASET_SRC.JOINTS"
        )
        findings.append(warning("approximated joints", ", ".join(unknown), advice))
    pairs = [f"{joint} from {keypoint}" for joint, keypoint in renamed.items() if keypoint]
    if pairs:
        findings.append(ok("joints that DATASET_SRC.JOINTS names", ", ".join(pairs)))
    declared = [joint for joint in source.missing if renamed.get(joint) == ""]
    if declared:
        findings.append(
            note(
                "joints that the source lacks, by DATASET_SRC.JOINTS",
                ", ".join(declared),
                "learned from the target only",
            )
        )
    if lacking := [joint for joint in source.missing if joint not in declared]:
        advice = (
            "learned from the target only; if the source has them under another name, map it in "
            "DATASET_SRC.JOINTS (an empty name: it does not label them)"
        )
        findings.append(warning("joints that the source lacks", ", ".join(lacking), advice))
    unused = [keypoint for keypoint in source.unused if keypoint not in target.native]
    if unused:
        findings.append(ok("dropped keypoints of the source", ", ".join(unused)))
    return findings


def _is_known_shift(joint: str, source: JointMapping, target: JointMapping) -> bool:
    """Whether both data sets have a stand-in for ``joint``, as COCO and MPII have for the head."""
    return all(joint in STAND_INS.get(mapping.dataset, {}) for mapping in (source, target))


def check_sides(skeleton: Skeleton, mirrored: tuple[str, ...]) -> list[Finding]:
    """Findings on left and right joints.

    Args:
        skeleton: the network's joints.
        mirrored: the settings by which images are mirrored.
    """
    subject, off = "left and right", f"set {' and '.join(mirrored)} to false"
    findings = []
    if skeleton.pairs:
        findings.append(ok(subject, ", ".join(f"{left} / {right}" for left, right in skeleton.pairs)))
    elif not mirrored or len(skeleton.names) == 1 or skeleton.middle:
        findings.append(ok(subject, "no pair is known, and none is needed"))
    else:
        result = f"no pair is known, but images are mirrored ({', '.join(mirrored)})"
        advice = (
            f"if there are left and right joints, they are mixed up: name them in {NAMES_PAIRS}, or {off}; if there "
            f"are none, '{{{skeleton.names[0]}: {skeleton.names[0]}}}' in MODEL.FLIP_PAIRS says so"
        )
        findings.append(warning(subject, result, advice))
    if skeleton.one_sided and mirrored:
        advice = f"name its counterpart in {NAMES_PAIRS}, or {off}"
        result = f"{', '.join(skeleton.one_sided)}: keeps its label when the image is mirrored"
        findings.append(warning("joints of one side alone", result, advice))
    return findings


def mapping_table(target: JointMapping, source: JointMapping | None) -> tuple[str, ...]:
    """Lines with the number and names of each joint: in the network, the target, and the source ("-" if it is missing)."""
    numbers = tuple(str(number) for number in range(1, len(target.names) + 1))
    columns = [("", numbers), ("network", target.names), (f"target ({target.dataset})", target.native)]
    if source is not None:
        keypoints = tuple(keypoint or "-" for keypoint in source.native)
        columns.append((f"source ({source.dataset})", keypoints))
    widths = [max(map(len, (title, *cells))) for title, cells in columns]
    rows = [tuple(title for title, _ in columns), *zip(*(cells for _, cells in columns))]
    return tuple("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
