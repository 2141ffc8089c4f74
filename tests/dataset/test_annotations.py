"""Two sets of people put one after the other, people as named arrays, and columns of checked numbers."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.dataset.annotations import (
    Annotations,
    columns_of,
    float_column,
    group_by_image,
    int_column,
    numbers,
    read_json,
    whole_number,
)
from lib.dataset.keypoints import joint_mapping
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError
from tests.factories.data_sets import NASTY_VALUES


def people(count, images, seed, bounds=True):
    rng = np.random.default_rng(seed)
    return Annotations(
        mapping=joint_mapping("mpii", ("left_knee", "head")),
        ids=rng.integers(0, 100, count),
        image_paths=images,
        image_index=rng.integers(0, len(images), count),
        joints=rng.random((count, 2, 2)),
        visible=rng.integers(0, 2, (count, 2)),
        centers=rng.random((count, 2)),
        sizes=rng.random((count, 2)),
        head_sizes=rng.random(count),
        bounds=rng.random((count, 2)) if bounds else None,
    )


@pytest.mark.parametrize("bounds", [True, False])
def test_joined_people_keep_their_images_and_all_else(bounds):
    first, second = (
        people(5, ("a.jpg", "b.jpg", "c.jpg"), 0, bounds),
        people(4, ("b.jpg", "d.jpg"), 1, bounds),
    )
    both = first.joined(second)
    assert len(both) == 9 and both.mapping == first.mapping
    for i in range(9):
        one, k = (first, i) if i < 5 else (second, i - 5)
        assert both.image_paths[both.image_index[i]] == one.image_paths[one.image_index[k]]
        for name in ("ids", "joints", "visible", "centers", "sizes", "head_sizes"):
            np.testing.assert_array_equal(getattr(both, name)[i], getattr(one, name)[k])
        if bounds:
            np.testing.assert_array_equal(both.bounds[i], one.bounds[k])
    assert both.image_ids is None and (both.bounds is None) == (not bounds)


def test_joined_leaves_both_sets_as_they_are():
    first, second = people(3, ("a.jpg",), 0), people(2, ("b.jpg",), 1)
    kept = replace(second, image_index=second.image_index.copy())
    first.joined(second)
    np.testing.assert_array_equal(second.image_index, kept.image_index)
    assert first.image_paths == ("a.jpg",) and len(first) == 3


@pytest.mark.parametrize("bounds", [True, False])
def test_people_are_the_same_from_their_arrays(bounds):
    first = people(5, ("a.jpg", "b.jpg", "ö.jpg"), 0, bounds)
    arrays = first.arrays()
    notes = ReadingNotes(left_out={"crowds": 2})
    again = Annotations.from_arrays(first.mapping, notes, arrays)
    assert again.notes == notes and list(again.image_names) == list(first.image_names)
    assert list(again.image_paths) == list(first.image_paths)
    for name in ("ids", "image_index", "joints", "visible", "centers", "sizes", "head_sizes"):
        assert getattr(again, name) is getattr(first, name)
    assert (again.bounds is None) == (not bounds) and again.image_ids is None
    assert again.arrays().keys() == arrays.keys()
    with pytest.raises(TypeError):
        Annotations.from_arrays(first.mapping, notes, arrays | {"unknown": arrays["ids"]})
    del arrays["image_paths_ends"]
    with pytest.raises(KeyError):
        Annotations.from_arrays(first.mapping, notes, arrays)


def one_by_one(values, check):
    """What a plain loop over ``values`` returns, or its error message."""
    try:
        return np.array([check(value, f"entry {k}", "it") for k, value in enumerate(values)])
    except InputError as error:
        return str(error)


def assert_as_one_by_one(values, shape, column_of, check):
    expected = one_by_one(values, check)
    try:
        column = column_of(values)
    except InputError as error:
        assert str(error) == expected
    else:
        np.testing.assert_array_equal(column, np.reshape(expected, (len(values), *shape)))


plain = st.integers(-1000, 1000) | st.floats(-1e8, 1e8) | st.booleans()
odd = st.sampled_from(NASTY_VALUES)


@given(st.data())
def test_a_column_is_what_its_entries_are_one_by_one(data):
    shape = data.draw(st.sampled_from([(), (2,), (4,), (2, 2)]))
    entries = plain
    for length in reversed(shape):
        entries = st.lists(
            entries | odd if data.draw(st.booleans()) else entries, min_size=length, max_size=length
        )
    values = data.draw(st.lists(entries | odd if data.draw(st.booleans()) else entries, max_size=5))
    assert_as_one_by_one(
        values,
        shape,
        lambda v: float_column(v, shape, lambda k: f"entry {k}", "it"),
        lambda value, where, what: numbers(value, shape, where, what),
    )


@given(st.lists(st.integers(-(2**65), 2**65) | st.integers(0, 9) | odd, max_size=4))
def test_a_column_of_whole_numbers(values):
    assert_as_one_by_one(values, (), lambda v: int_column(v, lambda k: f"entry {k}", "it"), whole_number)


def test_fields_name_the_first_entry_without_them():
    entries = [{"a": 1, "b": [2]}, {"a": 3, "b": None, "c": 4}]
    assert columns_of(entries, ("a", "b"), str) == [[1, 3], [[2], None]]
    assert columns_of([], ("a", "b"), str) == [[], []]
    for bad in ({"a": 1}, None, 3, "ab", [1, 2]):
        with pytest.raises(InputError, match="^entry 2$"):
            columns_of([*entries, bad, {}], ("a", "b"), lambda k: f"entry {k}")


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("text", ["{}", "{"])
def test_reading_leaves_garbage_collection_as_it_was(tmp_path, enabled, text):
    (tmp_path / "a.json").write_text(text)
    (gc.enable if enabled else gc.disable)()
    try:
        if text == "{":
            with pytest.raises(InputError):
                read_json(tmp_path / "a.json")
        else:
            assert read_json(tmp_path / "a.json") == {}
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_instances_of_an_image_keep_their_order():
    """More than 16 instances, the number up to which NumPy's default sort happens to be stable."""
    image_ids = np.array([7, 3, 7, 11] * 10)
    groups = group_by_image(image_ids)
    expected = [[i for i in range(40) if image_ids[i] == image] for image in (3, 7, 11)]
    assert [group.tolist() for group in groups] == expected
