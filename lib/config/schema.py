"""Every setting: its default, its meaning, and the values allowed. Nothing else defines a setting.

A section of the YAML file is a frozen dataclass, a setting one of its fields. The key in YAML and on the
command line is the field's name in upper case: ``config.lbi.lr`` is ``LBI.LR``.
"""

import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from lib.config.data_settings import SingleDatasetConfig, SourceDatasetConfig, TargetDatasetConfig
from lib.config.setting import Setting, section, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class CudnnConfig:
    benchmark: bool = setting(True, "let cuDNN benchmark its algorithms and use the fastest")
    deterministic: bool = setting(False, "use only deterministic cuDNN algorithms")
    enabled: bool = setting(True, "use cuDNN on CUDA devices")


@dataclass(frozen=True, kw_only=True)
class ModelExtraConfig:
    target_type: Literal["gaussian"] = setting("gaussian", "type of the target heatmaps")
    heatmap_size: tuple[int, int] = setting(
        (48, 64), "width and height of the heatmaps in pixels", minimum=4, maximum=8192
    )
    sigma: float = setting(
        2.0,
        "standard deviation of the Gaussian of a target heatmap, in heatmap pixels",
        minimum=0.1,
        maximum=1000,
    )
    num_layers: Literal[10, 18, 34, 50, 101, 152] = setting(50, "depth of the ResNet")
    width: int = setting(
        64,
        "channels of the first ResNet stage (64 in the published networks)",
        minimum=1,
        maximum=1024,
    )
    num_deconv_layers: int = setting(3, "number of transposed convolutions in the head", minimum=0, maximum=8)
    num_deconv_filters: tuple[int, ...] = setting(
        (256, 256, 256), "channels of each transposed convolution", minimum=1, maximum=8192
    )
    num_deconv_kernels: tuple[int, ...] = setting(
        (4, 4, 4), "kernel size of each transposed convolution: 2, 3 or 4", minimum=2, maximum=4
    )
    deconv_with_bias: bool = setting(False, "transposed convolutions have a bias")
    final_conv_kernel: Literal[1, 3] = setting(1, "kernel size of the last convolution")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    name: Literal["pose_resnet"] = setting("pose_resnet", "network architecture")
    init_weights: bool = setting(True, "initialize from MODEL.PRETRAINED; false: random initialization")
    pretrained: str = setting(
        "",
        "pretrained weights file, an ImageNet backbone or a pose network (empty: random initialization)",
    )
    num_joints: int = setting(
        13,
        "number of keypoints the network predicts: 13 shared by COCO and MPII, 16 of MPII, 17 of COCO; "
        "with a coco_format target, the number of keypoints of its category",
        minimum=1,
        maximum=1000,
    )
    flip_pairs: Mapping[str, str] = setting(
        {},
        "joints that change places in a mirrored image, {left: right}; needed only where their names do not "
        "tell (left_eye, eyeR, hand_links, ... do); {joint: joint}: it has no side",
    )
    image_size: tuple[int, int] = setting(
        (192, 256), "width and height of the network input in pixels", minimum=32, maximum=8192
    )
    style: Literal["pytorch", "caffe"] = setting(
        "pytorch",
        "position of the stride in a bottleneck block: pytorch in the 3x3, caffe in the first 1x1 convolution",
    )
    extra: ModelExtraConfig = section(ModelExtraConfig)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    use_target_weight: bool = setting(True, "exclude keypoints without a label from the loss")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    batch_size: int = setting(
        32,
        "batch size of the target, over all processes; also of the source if TRAIN.SRC_BATCH_SIZE is 0",
        minimum=1,
    )
    src_batch_size: int = setting(0, "batch size of the source (0: TRAIN.BATCH_SIZE)", minimum=0)
    shuffle: bool = setting(True, "shuffle the training data in every pass")
    begin_epoch: int = setting(0, "first epoch", minimum=0)
    end_epoch: int = setting(140, "number of the epoch at which training ends (exclusive)", minimum=0)
    steps_per_epoch: int = setting(0, "steps per epoch (0: one pass over T)", minimum=0)
    resume: bool = setting(False, "resume from the last checkpoint of the same run, also within an epoch")
    resume_changed: tuple[str, ...] = setting(
        (),
        "keys of settings that may differ from the checkpoint's when resuming, such as [TRAIN.LR]; any other that "
        "would spoil the run is refused",
    )
    save_every_minutes: float = setting(
        0.0, "minutes between checkpoints within an epoch (0: only at the end of each epoch)", minimum=0
    )
    load_ckpt: str = setting("", "checkpoint of another run whose model weights initialize this run")
    optimizer: Literal["adam", "sgd"] = setting("adam", "optimizer of both models")
    lr: float = setting(1e-3, "learning rate of both models", minimum=0)
    lr_factor: float = setting(
        0.1, "learning-rate decay factor at each epoch of TRAIN.LR_STEP", minimum=0, maximum=1
    )
    lr_step: tuple[int, ...] = setting((90, 120), "epochs at which the learning rate decays", minimum=0)
    wd: float = setting(0.0, "weight decay (L2 penalty), for either optimizer", minimum=0)
    momentum: float = setting(0.9, "momentum of SGD", minimum=0, maximum=1)
    channels_last: bool = setting(False, "channels-last memory format; faster on some devices")
    amp: Literal["off", "bf16"] = setting(
        "off",
        "mixed precision: bf16 autocast, or off (float32); losses, hypergradients and ignoring weights "
        "are always float32",
    )
    compile: bool = setting(
        False,
        "compile the forward pass with torch.compile (passes with a JVP stay eager); "
        "falls back to eager with a warning, for example without a C++ compiler",
    )
    sync_bn: bool = setting(
        False, "synchronize BatchNorm: batch statistics over all processes instead of each one's own"
    )
    nesterov: bool = setting(False, "Nesterov momentum in SGD")
    clip_grad: float = setting(
        0.0,
        "maximum gradient norm of either model (0: no clipping); look-ahead steps are clipped too, "
        "and the hypergradient treats the clipping factor as constant",
        minimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class IgnoringConfig:
    """LBI: learning by ignoring."""

    lam: float = setting(
        7e-3, "lambda: strength of the proximity term between target and source model", minimum=0
    )
    gamma: float = setting(1.0, "gamma: weight of the source loss in the loss of the target model", minimum=0)
    meta_loop: int = setting(1, "look-ahead steps per hypergradient step", minimum=1)
    variables: Literal["online", "persistent", "loss_aware"] = setting(
        "loss_aware",
        "ignoring variables: recomputed for every batch, as the original (online; no ranking of labels), stored "
        "for every labelled keypoint (persistent), or stored and combined with the keypoint's loss (loss_aware)",
    )
    lr: float = setting(1.0, "learning rate of the persistent and the loss-aware variables", minimum=0)
    hypergrad_interval: int = setting(
        2, "steps between two hypergradients; the steps in between use the current weights", minimum=1
    )
    freeze_weights_epoch: int = setting(
        0,
        "epoch of a phase from which the ignoring weights are frozen (0: never); the first of TRAIN.LR_STEP saves "
        "time, as a model that has fitted V gives no useful hypergradients",
        minimum=0,
    )
    schedule: Literal["together", "source_first"] = setting(
        "source_first",
        "train first the source model and then, initialized from it, the target model (source_first), or both "
        "side by side, as the original (together)",
    )
    source_model_on: Literal["source", "both"] = setting(
        "both", "source_first: train the source model on source and target (both), or on the source alone"
    )
    source_ckpt: str = setting(
        "",
        "source_first: checkpoint of a finished run whose source model and ignoring weights are taken instead of "
        "training a source model; with SOURCE_MODEL_ON both also the target model of ours1 (or baseline2)",
    )
    target_lr: float = setting(
        0.03, "source_first: learning rate of the target model, as a fraction of TRAIN.LR", minimum=0
    )
    meta_model: Literal["target", "source"] = setting(
        "target",
        "model whose validation loss the weights of the source model's loss minimize (meta-objective): the target "
        "model or the source model; always the source model with source_first",
    )
    meta_data: Literal["validation", "target"] = setting(
        "validation",
        "data of the meta-objective: V, or T and V (target), which helps if V is small (below 100 instances)",
    )
    val_in_train: bool = setting(
        False,
        "train on V too; without model selection: the last epoch is kept; for a target too small to spare V",
    )
    find_wrong_labels: bool = setting(
        True,
        "at the end, read all source labels once more with the trained network, and write how probably each is "
        "wrong, in what way, and where the joint is, into the table of the weights",
    )
    retrain: float = setting(
        0.0,
        "at the end, retrain from scratch without the labels whose weight is below this (0: no retraining)",
        minimum=0,
        maximum=1,
    )
    hypergrad_through: Literal["optimizer", "sgd"] = setting(
        "sgd",
        "differentiate the look-ahead step as a plain SGD step (sgd), which finds wrong labels better, "
        "or through the optimizer's update rule, as the original (optimizer)",
    )
    hypergrad_layers: Literal["all", "head", "final"] = setting(
        "final",
        "layers along whose parameters hypergradients are taken: the whole network (all), the transposed "
        "convolutions and the last one (head), or the last one (final), which costs one forward pass more than "
        "no hypergradient and finds wrong labels as well",
    )
    warmup: int = setting(
        0,
        "steps at the start of each phase with all ignoring weights equal to one; 100 with HYPERGRAD_THROUGH "
        "optimizer, where Adam's first steps give no direction",
        minimum=0,
    )
    val_batch_size: int = setting(
        64,
        "size of the validation batch of the hypergradient, at most all of V (0: TRAIN.BATCH_SIZE); the more, "
        "the less noise",
        minimum=0,
    )
    inject_noise: str = setting(
        "",
        "synthetic label noise in the source, to measure how well it is detected: KIND:SHARE, several "
        "joined by + (kinds: make_people.py --help); only in memory (empty: none)",
    )
    inject_seed: int = setting(
        0, "random seed of LBI.INJECT_NOISE; the same seed corrupts the same labels", minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class TestConfig:
    __test__: ClassVar[bool] = False  # pytest takes classes named Test* for test cases

    batch_size: int = setting(32, "batch size in evaluation", minimum=1)
    flip_test: bool = setting(False, "average the heatmaps of the image and of its mirror image")
    shift_heatmap: bool = setting(True, "flip test: shift the flipped heatmaps by one pixel to align them")
    pckh_legacy_01: bool = setting(False, "compute Mean@0.1 at the threshold 0.11, as the usual toolbox does")
    model_file: str = setting("", "weights file that valid.py evaluates")
    use_gt_bbox: bool = setting(
        True, "COCO: evaluate on ground-truth bounding boxes; false: on the detections of TEST.COCO_BBOX_FILE"
    )
    coco_bbox_file: str = setting(
        "data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json",
        "detected person bounding boxes, in COCO results format",
    )
    image_thre: float = setting(0.0, "COCO: score threshold of detected bounding boxes", minimum=0)
    bbox_thre: float = setting(
        1.0, "COCO: IoU threshold of bounding-box NMS (1: no NMS)", minimum=0, maximum=1
    )
    in_vis_thre: float = setting(
        0.2, "COCO: score threshold of the keypoints that count for the score of a pose", minimum=0
    )
    oks_thre: float = setting(0.9, "COCO: OKS threshold of pose NMS", minimum=0, maximum=1)
    eval_epochs: int = setting(
        1, "epochs between validations (the last epoch is always validated)", minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class DebugConfig:
    debug: bool = setting(False, "save images of training batches every PRINT_FREQ steps, of the kinds below")
    save_batch_images_gt: bool = setting(True, "images with the labelled keypoints")
    save_batch_images_pred: bool = setting(True, "images with the predicted keypoints")
    save_heatmaps_gt: bool = setting(True, "images with the target heatmaps")
    save_heatmaps_pred: bool = setting(True, "images with the predicted heatmaps")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration of a run."""

    device: Literal["auto", "cuda", "mps", "cpu"] = setting(
        "auto", "device to compute on; auto: CUDA if available, else the CPU"
    )
    gpus: str = setting(
        "0", "index of the CUDA device; several (0,1): distributed training with one process per GPU"
    )
    workers: int = setting(
        4, "data loader processes per dataset (0: load in the main process)", minimum=0, maximum=1024
    )
    threads: int = setting(
        0, "CPU threads of the main process (0: PyTorch's default)", minimum=0, maximum=1024
    )
    seed: int = setting(0, "random seed", minimum=0)
    print_freq: int = setting(100, "steps between log lines and points of the training curves", minimum=1)
    output_dir: str = setting("output", "folder of logs, checkpoints and results")
    log_dir: str = setting("log", "folder of TensorBoard event files")
    wandb: str = setting("", "Weights & Biases project to log to, if wandb is installed (empty: none)")
    cudnn: CudnnConfig = section(CudnnConfig)
    model: ModelConfig = section(ModelConfig)
    loss: LossConfig = section(LossConfig)
    dataset: SingleDatasetConfig = section(SingleDatasetConfig)
    dataset_src: SourceDatasetConfig = section(SourceDatasetConfig)
    dataset_target: TargetDatasetConfig = section(TargetDatasetConfig)
    train: TrainConfig = section(TrainConfig)
    lbi: IgnoringConfig = section(IgnoringConfig)
    test: TestConfig = section(TestConfig)
    debug: DebugConfig = section(DebugConfig)


@functools.cache
def settings() -> Mapping[str, Setting]:
    """All settings by their dotted key, in the order of the fields."""
    return types.MappingProxyType(settings_of(Config))
