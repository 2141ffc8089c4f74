from lib.dataset.reading_notes import ReadingNotes


def test_notes_of_two_readings_add_up():
    first = ReadingNotes({"crowds": 2, "cats": 1}, {"boxes": 3})
    joined = first.joined(ReadingNotes({"crowds": 1}, {}, {"labels at (0, 0)": 4}))
    assert joined == ReadingNotes({"crowds": 3, "cats": 1}, {"boxes": 3}, {"labels at (0, 0)": 4})


def test_only_counts_above_zero_are_said():
    assert ReadingNotes({"crowds": 0}).sentences() == {}
    assert ReadingNotes({"crowds": 2, "cats": 0, "dogs": 1000}).sentences() == {
        "left out": "2 crowds, 1,000 dogs"
    }
