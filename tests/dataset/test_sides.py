"""Left and right in keypoint names: every spelling that annotation tools and public data sets use."""

import pytest

from lib.dataset.sides import find_pairs, side_of


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_eye", "right_eye"), ("Left_eye", "Right_eye"), ("LeftEye", "RightEye"), ("leftEye", "rightEye"),
        ("eye-left", "eye-right"), ("eye left", "eye right"), ("l_eye", "r_eye"), ("L_Eye", "R_Eye"),
        ("eye.L", "eye.R"), ("lEye", "rEye"), ("L-F-Paw", "R-F-Paw"), ("hand_left_1", "hand_right_1"),
        ("LEFT_EYE", "RIGHT_EYE"), ("lefteye", "righteye"), ("front_l", "front_r"),
        # fly, mouse and horse data sets; DeepLabCut; LabelMe's and CVAT's users
        ("eyeL", "eyeR"), ("wingL", "wingR"), ("forelegL4", "forelegR4"), ("T1L", "T1R"), ("LEye", "REye"),
        ("lear", "rear"), ("lsho", "rsho"), ("lhand", "rhand"), ("handl", "handr"), ("FL", "FR"), ("L1", "R1"),
        ("Nearfrontfoot", "Offfrontfoot"), ("near_hip", "off_hip"), ("ear_base_L", "ear_base_R"),
        # other languages and scripts
        ("hand_links", "hand_rechts"), ("linkes_Auge", "rechtes_Auge"), ("main_gauche", "main_droite"),
        ("ojo_izquierdo", "ojo_derecho"), ("ojo_izda", "ojo_dcha"), ("mano_izquierda", "mano_derecha"), ("occhio_sinistro", "occhio_destro"),
        ("olho_esquerdo", "olho_direito"), ("vänster_hand", "höger_hand"), ("lewa_ręka", "prawa_ręka"),
        ("левая_рука", "правая_рука"), ("左手", "右手"), ("왼쪽눈", "오른쪽눈"), ("يسرى", "يمنى"),
        ("hand_li", "hand_re"), ("eye.lft", "eye.rgt"), ("глаз_л", "глаз_п"), ("mata_kiri", "mata_kanan"),
        ("lijevo_oko", "desno_oko"), ("ochi_stâng", "ochi_drept"), ("ひだり目", "みぎ目"), ("ตาซ้าย", "ตาขวา"),
        ("עין_שמאלית", "עין_ימנית"), ("αριστερό_μάτι", "δεξί_μάτι"),
    ],
)  # fmt: skip
def test_ways_to_name_a_side(left, right):
    assert find_pairs(("tail", right, "lip", left, "roller")) == ((left, right),)


def test_names_of_different_things_are_no_pair():
    for names in (
        ("left_eye", "right_ear"),
        ("1", "2"),
        ("upper", "lower"),
        ("left_eye", "left_eye_2"),
        ("nose",),
        ("lump", "rump"),
        ("lock", "rock", "collar", "tail"),
        ("upper_lip", "lower_lip"),
        ("near", "far"),
        ("line", "rein", "ulnar", "ulnal"),
        ("p_g", "p_d"),
    ):
        assert find_pairs(names) == ()


def test_the_surest_spelling_decides():
    assert find_pairs(("l_left", "r_left", "l_right")) == (("l_left", "l_right"),)
    assert find_pairs(("ll", "lr", "ul", "ur")) == (("ll", "lr"), ("ul", "ur"))
    # The rear of a horse is no right ear, if its right ear is there.
    assert find_pairs(("left_ear", "right_ear", "rear")) == (("left_ear", "right_ear"),)


@pytest.mark.parametrize(
    ("name", "side"),
    [("left_hip", "left"), ("eye.R", "right"), ("rEye", "right"), ("lip", "middle"), ("rear", "middle"), ("tail", "middle")],
)  # fmt: skip
def test_a_side_without_its_counterpart_needs_a_word_or_a_separate_letter(name, side):
    assert side_of(name) == side


def test_a_letter_of_an_unknown_word_is_a_side_if_several_pairs_have_it():
    assert find_pairs(("lgonad", "rgonad", "lspleen", "rspleen")) == (
        ("lgonad", "rgonad"),
        ("lspleen", "rspleen"),
    )
    assert find_pairs(("lump", "rump", "lear", "rear")) == (("lear", "rear"),)
