import json
import random

import pytest

from lib.utils.json_text import Edit, edited, elements, members, with_member, with_value

TEXT = ' {"a" : [1.50, [2e0,-3] ,{"b":null}],\n\t"c \\"}":"x, ]}", "a": true , "d": { } }\n'


def test_the_values_are_those_of_the_parser():
    found = members(TEXT)
    assert {name: value.parsed for name, value in found.items()} == json.loads(TEXT)
    for value in found.values():
        assert json.loads(TEXT[value.start : value.end]) == value.parsed
    start = TEXT.index("[")
    assert [value.parsed for value in elements(TEXT, start)] == [1.5, [2.0, -3], {"b": None}]
    assert [TEXT[value.start : value.end] for value in elements(TEXT, start)] == [
        "1.50",
        "[2e0,-3]",
        '{"b":null}',
    ]
    assert members(" {}") == {} and elements("[ ]") == []


def test_only_what_is_edited_changes():
    edits = [
        with_value(elements(TEXT, TEXT.index("["))[0], 7),
        with_member(TEXT, members(TEXT)["d"].start, "e", [1]),
        with_member(TEXT, 0, 'c "}', 2),
        with_member(TEXT, 0, "new", {}),
    ]
    assert edited(TEXT, edits) == (
        ' {"a" : [7, [2e0,-3] ,{"b":null}],\n\t"c \\"}":2, "a": true , "d": { "e": [1]}, "new": {} }\n'
    )
    assert edited(TEXT, []) == TEXT
    twice = '{"a": 1, "b": 2, "a": 3}'
    assert edited(twice, [with_member(twice, 0, "c", 4)]) == '{"a": 1, "b": 2, "a": 3, "c": 4}'


def test_edits_of_random_trees_are_edits_of_the_tree():
    """Against the parser: a member of some object is replaced or added, whatever the white space."""
    rng = random.Random(0)

    def tree(depth):
        if depth == 0 or rng.random() < 0.3:
            return rng.choice([0, -1.25, "a, }]", None, True, [], {}])
        children = [tree(depth - 1) for _ in range(rng.randrange(4))]
        return children if rng.random() < 0.5 else {f"k{i}": child for i, child in enumerate(children)}

    for _ in range(100):
        before = {"x": tree(3), "y": {f"k{i}": tree(2) for i in range(rng.randrange(3))}}
        text = json.dumps(before, indent=rng.choice([None, 0, 3]))
        name = rng.choice(["k0", "k2"])
        after = edited(text, [with_member(text, members(text)["y"].start, name, "new")])
        assert json.loads(after) == before | {"y": before["y"] | {name: "new"}}


@pytest.mark.parametrize("text", ["", "[1]", '{"a" 1}', '{"a": 1', '{"a": 1 "b": 2}', '{"a": nul}', "{1}"])
def test_text_that_is_no_object(text):
    with pytest.raises(ValueError):
        members(text)


@pytest.mark.parametrize("text", ["", "{}", "[1 2]", "[1,", "[,]"])
def test_text_that_is_no_array(text):
    with pytest.raises(ValueError):
        elements(text)


def test_edits_that_overlap_are_refused():
    with pytest.raises(ValueError, match="two edits"):
        edited("abcdef", [Edit(0, 3, "x"), Edit(2, 4, "y")])
