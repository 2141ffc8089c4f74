"""The joints of the network, and how source and target are put together for them."""

from lib.config.schema import Config
from lib.dataset.joints import mapping_of
from lib.dataset.keypoints import JointMapping, flip_permutation, one_sided
from lib.dataset.layouts import training_set
from lib.doctor.findings import Finding, error, ok, warning
from lib.utils.errors import InputError


def check_joints(config: Config, uses_source: bool) -> tuple[list[Finding], tuple[str, ...]]:
    """Findings on the mapping of joints, and the table of it."""
    target, source = config.dataset_target, config.dataset_src
    try:
        of_target = mapping_of(config, training_set(target))
        of_source = mapping_of(config, training_set(source)) if uses_source else None
    except InputError as problem:
        return [error("joints", str(problem), "see the names that it lists")], ()
    names = of_target.names
    findings = [ok("joints of the network", f"{len(names)}: {', '.join(names)}")]
    if of_source is not None:
        findings += _of_source(of_source, of_target, dict(source.joints))
    return findings + _sides(names, target.flip or (uses_source and source.flip)), _table(
        of_target, of_source
    )


def _of_source(source: JointMapping, target: JointMapping, given: dict[str, str]) -> list[Finding]:
    findings = []
    shifted = [
        f"{joint} ({meant} in the target, {read} in the source)"
        for joint, meant, read in zip(target.names, target.native, source.native)
        if read not in (meant, None) and joint not in given
    ]
    if shifted:
        advice = (
            "a true shift of labels, which the weights may find; where it is meant, or another keypoint fits "
            "better, name it in DATASET_SRC.JOINTS"
        )
        findings.append(warning("approximated joints", ", ".join(shifted), advice))
    renamed = [f"{joint} from {read}" for joint, read in given.items() if read]
    if renamed:
        findings.append(ok("joints that DATASET_SRC.JOINTS names", ", ".join(renamed)))
    if source.missing:
        advice = "the target's people alone teach them; where the source calls them otherwise, say so in DATASET_SRC.JOINTS"
        findings.append(warning("joints that the source lacks", ", ".join(source.missing), advice))
    unused = [keypoint for keypoint in source.unused if keypoint not in target.native]
    if unused:
        findings.append(ok("dropped keypoints of the source", ", ".join(unused)))
    return findings


def _sides(names: tuple[str, ...], flips: bool) -> list[Finding]:
    flip_indices, alone = flip_permutation(names), one_sided(names)
    pairs = [f"{names[j]} / {names[p]}" for j, p in enumerate(flip_indices) if j < p]
    findings = [ok("left and right", ", ".join(pairs) or "no joint has a side")]
    if alone and flips:
        advice = "give the other side a name that differs in left and right alone, or set FLIP false"
        findings.append(
            warning("joints of one side alone", f"{', '.join(alone)}: mirroring leaves their label", advice)
        )
    return findings


def _table(target: JointMapping, source: JointMapping | None) -> tuple[str, ...]:
    columns = [("network", target.names), (f"target ({target.dataset})", target.native)]
    if source is not None:
        columns.append((f"source ({source.dataset})", tuple(read or "-" for read in source.native)))
    widths = [max(map(len, (title, *cells))) for title, cells in columns]
    rows = [tuple(title for title, _ in columns), *zip(*(cells for _, cells in columns))]
    return tuple("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
