"""Keys that are no settings but are accepted: former names, and keys of the original's YAML files."""

# Former names, accepted wherever settings are read: {former key: key}.
ALIASES = {
    "LBI.EVERY": "LBI.HYPERGRAD_INTERVAL",
    "LBI.REST_EPOCH": "LBI.FREEZE_WEIGHTS_EPOCH",
    "LBI.VALIDATE_AT": "LBI.META_MODEL",
    "LBI.VALIDATE_ON": "LBI.META_DATA",
    "LBI.LOOKAHEAD": "LBI.HYPERGRAD_THROUGH",
}

# Keys of the original's YAML files that did nothing there: accepted and reported, without effect.
WITHOUT_EFFECT = {
    "DATA_DIR": "give DATASET_SRC.ROOT and DATASET_TARGET.ROOT",
    "TRAIN.GAMMA1": "no optimizer here reads it",
    "TRAIN.GAMMA2": "no optimizer here reads it",
    "TRAIN.CHECKPOINT": "see TRAIN.RESUME and TRAIN.LOAD_CKPT",
    "DATASET_SRC.TEST_SET": "the source is never tested on",
    "TEST.NMS_THRE": "boxes are suppressed by TEST.BBOX_THRE, poses by TEST.OKS_THRE",
    "DATASET.HYBRID_JOINTS_TYPE": "only gaussian heatmaps",
    "DATASET.SELECT_DATA": "nothing is selected",
}
