"""Every setting there is: its default, what it means, what is allowed. Nothing else defines one."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One leaf of the configuration. Its type is the type of its default; a dictionary is of texts by name."""

    default: Any
    meaning: str
    choices: tuple = ()
    minimum: float | None = None
    maximum: float | None = None


SIGMAS = Setting(
    [0.05],
    "coco_format: how far from its label each joint may be found in OKS (COCO's sigmas: 0.025 eyes to 0.107 hips), in the file's order, or one for all",
    minimum=1e-4,
    maximum=10,
)


def _data_set(name: str, role: str, **extra: Setting) -> dict[str, Setting]:
    return {
        "DATASET": Setting(name, f"layout of the {role} data on disk; coco_format: any set in COCO's format, whose sets are named by their annotation file in ROOT", choices=("coco", "mpii", "coco_format")),
        "ROOT": Setting(f"data/{name}", f"folder of the {role} data"),
        "IMAGES": Setting("images", "coco_format: folder of the images in ROOT; {set} in it stands for the annotation file's name without .json"),
        "CATEGORY": Setting("", "coco_format: name of the category to read (empty: the only one with keypoints)"),
        "DATA_FORMAT": Setting("jpg", "images in a folder (jpg), or in a zip file beside where it would be", choices=("jpg", "zip")),
        "FLIP": Setting(True, "mirror half of the training samples"),
        "ROT_FACTOR": Setting(40.0, "standard deviation of the rotation in training, degrees", minimum=0, maximum=360),
        "SCALE_FACTOR": Setting(0.3, "standard deviation of the scale in training, and its bound", minimum=0, maximum=0.9),
        **extra,
    }  # fmt: skip


SCHEMA: dict[str, Any] = {
    "DEVICE": Setting("auto", "where to compute; auto takes CUDA where there is one, else the CPU", choices=("auto", "cuda", "mps", "cpu")),
    "GPUS": Setting("0", "number of the CUDA device to use; several (0,1) train together, a process on each"),
    "WORKERS": Setting(4, "processes that read images, for each data set (0: the main one)", minimum=0, maximum=1024),
    "THREADS": Setting(0, "CPU threads of the main process (0: torch's own choice)", minimum=0, maximum=1024),
    "SEED": Setting(0, "seed of everything random", minimum=0),
    "PRINT_FREQ": Setting(100, "steps between two lines of the log and two points of the curves", minimum=1),
    "OUTPUT_DIR": Setting("output", "folder for logs, checkpoints and results"),
    "LOG_DIR": Setting("log", "folder for tensorboard's event files"),
    "WANDB": Setting("", "project at Weights & Biases that shows the run too, where wandb is installed (empty: none)"),
    "CUDNN": {
        "BENCHMARK": Setting(True, "let cuDNN time its algorithms and take the fastest"),
        "DETERMINISTIC": Setting(False, "use only algorithms that give the same numbers every time"),
        "ENABLED": Setting(True, "use cuDNN on CUDA devices"),
    },
    "MODEL": {
        "NAME": Setting("pose_resnet", "network", choices=("pose_resnet",)),
        "INIT_WEIGHTS": Setting(True, "start from MODEL.PRETRAINED; false starts from random weights"),
        "PRETRAINED": Setting("", "weights to start from: ImageNet's or a pose network's (empty: random)"),
        "NUM_JOINTS": Setting(13, "joints of the network: 13 shared by COCO and MPII, 16 of MPII, 17 of COCO; for a target in coco_format as many as it has", minimum=1, maximum=1000),
        "IMAGE_SIZE": Setting([192, 256], "width and height of the network's input, pixels", minimum=32, maximum=8192),
        "STYLE": Setting("pytorch", "where a bottleneck has its stride: pytorch in the 3x3, caffe in the 1x1", choices=("pytorch", "caffe")),
        "EXTRA": {
            "TARGET_TYPE": Setting("gaussian", "kind of heatmap", choices=("gaussian",)),
            "HEATMAP_SIZE": Setting([48, 64], "width and height of the heatmaps, pixels", minimum=4, maximum=8192),
            "SIGMA": Setting(2.0, "standard deviation of a heatmap's Gaussian, heatmap pixels", minimum=0.1, maximum=1000),
            "NUM_LAYERS": Setting(50, "depth of the ResNet", choices=(10, 18, 34, 50, 101, 152)),
            "WIDTH": Setting(64, "channels of the ResNet's first stage (64 in the published networks)", minimum=1, maximum=1024),
            "NUM_DECONV_LAYERS": Setting(3, "transposed convolutions in the head", minimum=0, maximum=8),
            "NUM_DECONV_FILTERS": Setting([256, 256, 256], "channels of each transposed convolution", minimum=1, maximum=8192),
            "NUM_DECONV_KERNELS": Setting([4, 4, 4], "kernel size of each transposed convolution: 2, 3 or 4", minimum=2, maximum=4),
            "DECONV_WITH_BIAS": Setting(False, "transposed convolutions have a bias"),
            "FINAL_CONV_KERNEL": Setting(1, "kernel size of the last convolution", choices=(1, 3)),
        },
    },
    "LOSS": {
        "USE_TARGET_WEIGHT": Setting(True, "leave joints without a label out of the loss"),
    },
    "DATASET": {
        **_data_set(
            "mpii",
            "one data set's (train.py, valid.py)",
            TRAIN_SET=Setting("train", "images and labels to train on"),
            TEST_SET=Setting("valid", "images and labels to evaluate on, after every epoch and at the end"),
            SIGMAS=SIGMAS,
        ),
        "COLOR_RGB": Setting(True, "read images as RGB; false: BGR, for old published pose checkpoints"),
        "CACHE": Setting(False, "keep every image that was read in memory: for data sets that fit there, in every worker"),
        "ANNOTATION_CACHE": Setting(True, "keep annotations of large files as arrays in OUTPUT_DIR/annotations: the next start need not read them again"),
        "REDUCED_DECODE": Setting(False, "decode JPEG images of people far larger than the network's input at 1/2, 1/4 or 1/8 of their size: faster, other pixels"),
        "ON_BAD_IMAGE": Setting("raise", "an unreadable image stops the run (raise) or is left out and counted (skip)", choices=("raise", "skip")),
    },
    "DATASET_SRC": _data_set(
        "coco",
        "source",
        TRAIN_SET=Setting("train2017", "source images and labels to train on"),
        JOINTS=Setting({}, "where the source calls the target's joints otherwise: {target's name: source's name}; an empty name: the source has no label for it"),
    ),
    "DATASET_TARGET": _data_set(
        "mpii",
        "target",
        TRAIN_SET=Setting("train_finetune", "T, the target's training part: train_finetune is two thirds of train"),
        VAL_SET=Setting("train_validate", "V, the target's validation part: train_validate is the other third of train; coco_format: a file of its own, or TRAIN_SET's, which is cut likewise then"),
        TEST_SET=Setting("valid", "the target's test part, never used to choose anything"),
        SPLIT=Setting("image", "how train is cut into T and V: by image, or by annotation as the original does", choices=("image", "annotation")),
        SIGMAS=SIGMAS,
    ),
    "TRAIN": {
        "BATCH_SIZE": Setting(32, "people in a batch of target, of all processes together, and of source unless TRAIN.SRC_BATCH_SIZE says otherwise", minimum=1),
        "SRC_BATCH_SIZE": Setting(0, "people in a batch of source (0: as TRAIN.BATCH_SIZE)", minimum=0),
        "SHUFFLE": Setting(True, "visit the people in a new random order in every pass"),
        "BEGIN_EPOCH": Setting(0, "first epoch", minimum=0),
        "END_EPOCH": Setting(140, "epoch before which training ends", minimum=0),
        "STEPS_PER_EPOCH": Setting(0, "steps in an epoch (0: one pass over the target's training part)", minimum=0),
        "RESUME": Setting(False, "go on from the last checkpoint of the same run, within an epoch or between two"),
        "SAVE_EVERY_MINUTES": Setting(0.0, "minutes between two checkpoints within an epoch (0: at the end of each epoch alone)", minimum=0),
        "LOAD_CKPT": Setting("", "checkpoint of an earlier run whose models this one starts from"),
        "OPTIMIZER": Setting("adam", "optimiser of both models", choices=("adam", "sgd")),
        "LR": Setting(1e-3, "learning rate of both models", minimum=0),
        "LR_FACTOR": Setting(0.1, "factor on the learning rate at every epoch of TRAIN.LR_STEP", minimum=0, maximum=1),
        "LR_STEP": Setting([90, 120], "epochs at which the learning rate falls", minimum=0),
        "WD": Setting(0.0, "weight decay (L2), for either optimiser", minimum=0),
        "MOMENTUM": Setting(0.9, "momentum of SGD", minimum=0, maximum=1),
        "CHANNELS_LAST": Setting(False, "keep the networks' numbers pixel by pixel in memory (channels last), which some devices compute faster"),
        "AMP": Setting("off", "compute layers in fewer digits where torch thinks it safe (bf16), or all in single precision (off); losses, hypergradients and weights are in single precision always", choices=("off", "bf16")),
        "COMPILE": Setting(False, "let torch.compile make the passes without a tangent faster; where it fails (no C++ compiler), a warning, and they are as without it"),
        "SYNC_BN": Setting(False, "of several processes, normalise by the whole batch in training (BatchNorm), not each by its own part"),
        "NESTEROV": Setting(False, "Nesterov's momentum in SGD"),
        "CLIP_GRAD": Setting(0.0, "longest gradient of a step of either model, longer ones are shortened to it (0: any); the look-ahead is clipped likewise, and the hypergradient takes its factor as constant", minimum=0),
    },
    "LBI": {
        "LAM": Setting(7e-3, "lambda: how strongly the target model is held near the source model", minimum=0),
        "GAMMA": Setting(1.0, "gamma: weight of the source in the target model's own loss", minimum=0),
        "META_LOOP": Setting(1, "look-ahead steps in which a batch's weights are found", minimum=1),
        "VARIABLES": Setting("online", "ignoring variables: found anew for each batch (online), kept for each annotated keypoint (persistent), or kept and also looking at the keypoint's loss (loss_aware)", choices=("online", "persistent", "loss_aware")),
        "LR": Setting(0.7, "learning rate of the persistent and the loss-aware variables", minimum=0),
        "EVERY": Setting(1, "steps from one hypergradient to the next; the steps between use the weights as they are", minimum=1),
        "REST_EPOCH": Setting(0, "epoch from which the weights learn no more, of either phase (0: never); a model that has fitted the validation people has little to teach", minimum=0),
        "SCHEDULE": Setting("together", "train source and target model side by side (together), or the source model first and the target model from there (source_first)", choices=("together", "source_first")),
        "SOURCE_MODEL_ON": Setting("source", "source_first: what the source model is trained on: the source alone, or the source and the target's people (both)", choices=("source", "both")),
        "TARGET_LR": Setting(0.3, "source_first: the target model's learning rate, as a share of TRAIN.LR", minimum=0),
        "VALIDATE_AT": Setting("target", "whose validation loss the source model's weights serve: the target model's, or the source model's own (always so with source_first)", choices=("target", "source")),
        "VALIDATE_ON": Setting("validation", "people whose loss the weights serve: the validation part, or the training part too (target)", choices=("validation", "target")),
        "VAL_IN_TRAIN": Setting(False, "train on the validation people too; the last epoch is taken then, for they can't choose one"),
        "RETRAIN": Setting(0.0, "at the end, train once more from the start without the labels of a weight below this (0: don't)", minimum=0, maximum=1),
        "LOOKAHEAD": Setting("optimizer", "direction of the hypergradient: the validation gradient through the optimiser's derivative (optimizer), or as it is (sgd)", choices=("optimizer", "sgd")),
        "WARMUP": Setting(0, "steps at the start of either phase with every weight one", minimum=0),
        "VAL_BATCH_SIZE": Setting(0, "people in a validation batch of the hypergradient (0: as TRAIN.BATCH_SIZE)", minimum=0),
        "INJECT_NOISE": Setting("", "make source labels wrong before training, to measure how well they are found: KIND:SHARE, or several joined by + (kinds: make_people.py --help); only in memory (empty: none)"),
        "INJECT_SEED": Setting(0, "seed of LBI.INJECT_NOISE; the same seed makes the same labels wrong", minimum=0),
    },
    "TEST": {
        "BATCH_SIZE": Setting(32, "people in a batch of evaluation", minimum=1),
        "FLIP_TEST": Setting(False, "average the heatmaps of an image and of its mirror image"),
        "SHIFT_HEATMAP": Setting(True, "in the flip test, move the mirrored heatmaps by the pixel they are off"),
        "PCKH_LEGACY_01": Setting(False, "Mean@0.1 at the threshold 0.11 that the usual toolbox really reads"),
        "MODEL_FILE": Setting("", "weights that valid.py evaluates"),
        "USE_GT_BBOX": Setting(True, "COCO: evaluate on annotated boxes; false: on those of TEST.COCO_BBOX_FILE"),
        "COCO_BBOX_FILE": Setting("data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json", "detected person boxes, COCO results format"),
        "IMAGE_THRE": Setting(0.0, "COCO: leave out detected boxes with a lower score", minimum=0),
        "BBOX_THRE": Setting(1.0, "COCO: of detected boxes that overlap more (IoU), keep the best (1: keep all)", minimum=0, maximum=1),
        "IN_VIS_THRE": Setting(0.2, "COCO: keypoints that score more count in a pose's score", minimum=0),
        "OKS_THRE": Setting(0.9, "COCO: of poses more alike (OKS), keep the best", minimum=0, maximum=1),
        "EVAL_EPOCHS": Setting(1, "epochs between two validations (the last epoch always has one)", minimum=1),
    },
    "DEBUG": {
        "DEBUG": Setting(False, "save images of training batches every PRINT_FREQ steps, of the kinds below"),
        "SAVE_BATCH_IMAGES_GT": Setting(True, "samples with their labels"),
        "SAVE_BATCH_IMAGES_PRED": Setting(True, "samples with the predicted joints"),
        "SAVE_HEATMAPS_GT": Setting(True, "samples with the heatmaps of their labels"),
        "SAVE_HEATMAPS_PRED": Setting(True, "samples with the predicted heatmaps"),
    },
}  # fmt: skip

# Keys of the original's YAML files that did nothing there: accepted, reported, without effect.
WITHOUT_EFFECT = {
    "DATA_DIR": "give DATASET_SRC.ROOT and DATASET_TARGET.ROOT",
    "TRAIN.GAMMA1": "no optimiser here reads it",
    "TRAIN.GAMMA2": "no optimiser here reads it",
    "TRAIN.CHECKPOINT": "see TRAIN.RESUME and TRAIN.LOAD_CKPT",
    "DATASET_SRC.TEST_SET": "the source is never tested on",
    "TEST.NMS_THRE": "boxes are suppressed by TEST.BBOX_THRE, poses by TEST.OKS_THRE",
    "DATASET.HYBRID_JOINTS_TYPE": "only gaussian heatmaps",
    "DATASET.SELECT_DATA": "nothing is selected",
}
