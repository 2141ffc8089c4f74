"""Greedy non-maximum suppression of boxes and poses; `lib.nms.numpy_nms` says what each function does."""

import numpy as np

from libc.math cimport exp

cdef double EPS = np.spacing(1.0)


def keep_boxes(const double[:, ::1] boxes, double threshold):
    cdef Py_ssize_t count = boxes.shape[0]
    cdef Py_ssize_t i, j
    keep = np.ones(count, bool)
    cdef unsigned char[::1] kept = keep.view(np.uint8)
    with nogil:
        for i in range(count):
            if not kept[i]:
                continue
            for j in range(i + 1, count):
                if kept[j] and box_iou(&boxes[i, 0], &boxes[j, 0]) > threshold:
                    kept[j] = 0
    return keep


cdef double box_iou(const double* a, const double* b) noexcept nogil:
    # Not fmin and fmax: they mind NaN, which costs a function call each.
    cdef double width = (a[2] if a[2] < b[2] else b[2]) - (a[0] if a[0] > b[0] else b[0])
    cdef double height = (a[3] if a[3] < b[3] else b[3]) - (a[1] if a[1] > b[1] else b[1])
    cdef double meeting = width * height
    if width <= 0 or height <= 0 or meeting <= 0:
        return 0
    return meeting / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - meeting)


def keep_poses(
    const double[:, :, ::1] poses, const double[::1] areas, const double[::1] precisions,
    double threshold, double min_visible,
):
    cdef Py_ssize_t count = poses.shape[0]
    cdef Py_ssize_t joints = poses.shape[1]
    cdef Py_ssize_t i, j
    cdef double per_area, oks
    cdef const double* pose
    keep = np.ones(count, bool)
    cdef unsigned char[::1] kept = keep.view(np.uint8)
    with nogil:
        for i in range(count):
            if not kept[i]:
                continue
            pose = &poses[i, 0, 0]
            for j in range(i + 1, count):
                if not kept[j]:
                    continue
                per_area = 0.5 / ((areas[i] + areas[j]) / 2 + EPS)
                oks = pose_oks(pose, &poses[j, 0, 0], joints, per_area, &precisions[0], min_visible)
                if oks > threshold:
                    kept[j] = 0
    return keep


cdef double pose_oks(
    const double* a, const double* b, Py_ssize_t joints, double per_area, const double* precisions,
    double min_visible,
) noexcept nogil:
    cdef Py_ssize_t k
    cdef Py_ssize_t counted = 0
    cdef double dx, dy
    cdef double total = 0
    for k in range(joints):
        if a[3 * k + 2] > min_visible and b[3 * k + 2] > min_visible:
            dx = b[3 * k] - a[3 * k]
            dy = b[3 * k + 1] - a[3 * k + 1]
            total += exp(-(dx * dx + dy * dy) * precisions[k] * per_area)
            counted += 1
    return total / counted if counted else 0
