"""Greedy non-maximum suppression of boxes and poses; `lib.nms.numpy_nms` documents the arguments."""

import numpy as np

from libc.math cimport exp

cdef double EPS = np.spacing(1.0)
# Far above the rounding error of OKS: bounds closer than this to the threshold do not decide.
cdef double UNSURE = 1e-9
cdef double SLOPE = 1 - exp(-1.0)  # of the lower bound of 1 - exp(-x) on [0, 1]


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
    # Not fmin and fmax, which handle NaN at the cost of a function call each.
    cdef double width = (a[2] if a[2] < b[2] else b[2]) - (a[0] if a[0] > b[0] else b[0])
    cdef double height = (a[3] if a[3] < b[3] else b[3]) - (a[1] if a[1] > b[1] else b[1])
    cdef double intersection = width * height
    if width <= 0 or height <= 0 or intersection <= 0:
        return 0
    return intersection / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection)


def keep_poses(
    const double[:, :, ::1] poses, const double[::1] areas, const Py_ssize_t[::1] starts,
    const double[::1] precisions, double threshold, double min_visible,
):
    cdef Py_ssize_t joints = poses.shape[1]
    cdef Py_ssize_t image, first, end, i, j
    cdef double per_area
    keep = np.ones(poses.shape[0], bool)
    cdef unsigned char[::1] kept = keep.view(np.uint8)
    cdef unsigned char[:, ::1] visible = np.empty((poses.shape[0], joints), np.uint8)
    with nogil:
        for image in range(starts.shape[0]):
            first = starts[image]
            end = starts[image + 1] if image + 1 < starts.shape[0] else poses.shape[0]
            # Reading the image's poses in order also loads them into the cache, which halves the time.
            for i in range(first, end):
                for j in range(joints):
                    visible[i, j] = poses[i, j, 2] > min_visible
            for i in range(first, end):
                if not kept[i]:
                    continue
                for j in range(i + 1, end):
                    if not kept[j]:
                        continue
                    per_area = 0.5 / ((areas[i] + areas[j]) / 2 + EPS)
                    if oks_exceeds(
                        &poses[i, 0, 0], &poses[j, 0, 0], &visible[i, 0], &visible[j, 0],
                        joints, per_area, &precisions[0], threshold,
                    ):
                        kept[j] = 0
    return keep


cdef bint oks_exceeds(
    const double* a, const double* b, const unsigned char* seen_a, const unsigned char* seen_b,
    Py_ssize_t joints, double per_area, const double* precisions, double threshold,
) noexcept nogil:
    """Whether the OKS of two poses exceeds ``threshold``; bounds mostly decide without an exponential.

    1 - oks is the mean of 1 - exp(-x) over the counted joints, x = d^2 / (2 (2 sigma)^2 area), and
    (1 - 1 / e) min(x, 1) <= 1 - exp(-x) <= min(x, 1). For poses far apart the lower bound decides after a
    few joints.
    """
    cdef Py_ssize_t k
    cdef int seen
    cdef int counted = 0
    cdef double x
    cdef double upper_sum = 0
    cdef double total = 0
    cdef double limit = (1 - threshold + UNSURE) * joints
    for k in range(joints):
        seen = seen_a[k] & seen_b[k]
        x = scaled_distance(a + 3 * k, b + 3 * k, precisions[k], per_area)
        upper_sum += (x if x < 1 else 1) * seen
        counted += seen
        if SLOPE * upper_sum > limit:
            return False
    if upper_sum < (1 - threshold - UNSURE) * counted:
        return True
    for k in range(joints):
        if seen_a[k] & seen_b[k]:
            total += exp(-scaled_distance(a + 3 * k, b + 3 * k, precisions[k], per_area))
    return (total / counted if counted else 0) > threshold


cdef inline double scaled_distance(
    const double* a, const double* b, double precision, double per_area
) noexcept nogil:
    cdef double dx = b[0] - a[0]
    cdef double dy = b[1] - a[1]
    return (dx * dx + dy * dy) * precision * per_area
