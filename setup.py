"""Builds the one compiled part, non-maximum suppression: `make -C lib`, or the same by hand:

python setup.py build_ext --inplace
"""

from Cython.Build import cythonize
from setuptools import Extension, setup

BUILD_DIR = "build/nms"  # of the generated C and the objects; only the extension lands beside its source

setup(
    ext_modules=cythonize(
        Extension("lib.nms.cpu_nms", ["lib/nms/cpu_nms.pyx"]),
        build_dir=BUILD_DIR,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
        },
    ),
    options={"build": {"build_base": BUILD_DIR}},
)
