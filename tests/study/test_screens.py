"""Screens driven in Python, as a participant would: consent, answers, coming back, errors, and what the page is told."""

import asyncio
import io
import itertools
import json
import re
import sqlite3

import ipywidgets as widgets
import numpy as np
import pytest
from comm import DummyComm
from PIL import Image

from personalab.backends.chat import Answer
from personalab.study import intake, pairwise, parts, quality, rating
from personalab.study.answers import Intake
from personalab.study.plan import CONDITIONS, labels, pairs_plan
from personalab.study.screen import Screen
from personalab.study.store import Store
from personalab.vptt.judge import Case
from personalab.zipp.persona import screen as screened

METHODS = ("Baseline", "Persona Only", "BRAG", "VPRAG")
PROMPTS = {f"prompt-{i}": f"a garden, number {i}" for i in range(20)}
PERSONAS = {"p1": "You are <b>kind</b> & old.", "p2": "You are young."}
MARKUP = '<script>alert("{{ 7 * 7 }}")</script>\n=====\nIgnore all this ' + "}} {% raw %}"


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "answers.sqlite", patience=0.1)


def picture(seed: int, side: int = 24) -> np.ndarray:
    """A colour of its own for each seed."""
    return np.full((side, side, 3), np.random.default_rng(seed).integers(0, 256, 3), dtype=np.uint8)


def case(name: str, **changes) -> Case:
    pictures = {method: picture(i, 20 + 4 * i) for i, method in enumerate(METHODS)}
    posts = [picture(10 + i) for i in range(10)]
    return Case(name, "user", "generation", "a prompt", posts, pictures)._replace(**changes)


CASES = [case("case-1"), case("case-2", task="editing", input=picture(9)), case("case-3")]


def rating_screen(store: Store, participant: str = "P01", items=("case-1", "case-2", "case-3")) -> Screen:
    return rating.screen(store, participant, CASES, items)


def pair_screen(
    store: Store, participant: str = "P01", image=lambda *names: picture(hash(names) % 2**32)
) -> Screen:
    pairs = pairs_plan([participant], list(PROMPTS), rng=np.random.default_rng(0))[participant]
    return pairwise.screen(store, participant, pairs, PROMPTS, image)


def quality_screen(store: Store, participant: str = "P01") -> Screen:
    return quality.screen(store, participant, PERSONAS, ["p2", "p1"], {"p1": ["I like <i>tea</i>"]})


def intake_screen(store: Store, participant: str = "P01") -> Screen:
    return intake.screen(store, participant)


SCREENS = {
    "rating": rating_screen,
    "pairwise": pair_screen,
    "quality": quality_screen,
    "intake": intake_screen,
}


def agree(screen: Screen) -> Screen:
    screen.find("study-agree").value = True
    screen.find("study-start").click()
    return screen


def shown(screen: Screen, name: str) -> str:
    return screen.find(f"study-{name}").value


def walk(widget: widgets.Widget) -> list[widgets.Widget]:
    return [widget, *itertools.chain.from_iterable(walk(child) for child in getattr(widget, "children", ()))]


def fill(screen: Screen) -> None:
    """Answer whatever the page asks, the last of choices and 2.5 on sliders, and press Next."""
    for control in walk(screen.find("study-item")):
        match control:
            case widgets.SelectionSlider():
                control.value = 2.5
            case widgets.RadioButtons():
                control.index = len(control.options) - 1
            case widgets.ToggleButton():
                control.value = True
            case widgets.Textarea():
                control.value = MARKUP
    screen.find("study-next").click()


@pytest.mark.parametrize("kind", SCREENS)
def test_a_participant_gets_from_consent_to_thanks_and_all_is_stored(kind, store):
    screen = SCREENS[kind](store)
    assert screen.find("study-consent") and shown(screen, "progress") == ""
    agree(screen)
    total = {"rating": 3, "pairwise": 20, "quality": 2, "intake": 3}[kind]
    for done in range(total):
        assert f"Part {done + 1} of {total}, {done} saved" in shown(screen, "progress")
        assert len(store.answers("P01", kind)) == done
        fill(screen)
        assert len(store.answers("P01", kind)) == done + 1, "saved before the next page is there"
    assert "Thank you" in shown(screen, "thanks") and f"All {total} parts" in shown(screen, "progress")
    assert screen.find("study-next").disabled and shown(screen, "error") == ""


def test_a_press_does_not_overtake_the_last_step_of_a_slider_and_counts_once(store):
    screen = agree(rating_screen(store))
    sliders = [screen.find(f"study-slider-{label}") for label in "ABCD"]
    for slider in sliders:
        slider.value = 2.5

    async def press_twice_then_slide():
        for _ in range(2):  # as messages from a browser, of which the slider's comes last
            screen.find("study-next").comm.handle_msg(
                {"content": {"data": {"method": "custom", "content": {"event": "click"}}}, "buffers": []}
            )
        sliders[0].value = 3.0
        assert store.answers("P01", "rating") == {}
        await asyncio.sleep(2 * parts.SETTLED)

    asyncio.run(press_twice_then_slide())
    (answer,) = store.answers("P01", "rating").values()
    assert [one["rating"] for one in answer["ratings"]] == [3.0, 2.5, 2.5, 2.5]
    assert shown(screen, "error") == "" and "Part 2 of 3" in shown(screen, "progress")


@pytest.mark.parametrize("kind", SCREENS)
def test_nothing_begins_without_consent_and_a_new_text_is_asked_again(kind, store, tmp_path):
    screen = SCREENS[kind](store)
    screen.find("study-start").click()
    assert "tick the box" in shown(screen, "error") and store.consented("P01") is None
    agree(screen)
    assert store.consented("P01") == "1" and screen.find("study-item")
    assert SCREENS[kind](store).find("study-item"), "asked once"
    store.consent("P01", "an older text")
    assert SCREENS[kind](store).find("study-consent")


@pytest.mark.parametrize("kind", SCREENS)
def test_an_unfinished_answer_stays_on_the_page_and_is_not_stored(kind, store):
    screen = agree(SCREENS[kind](store))
    screen.find("study-next").click()
    assert 'role="alert"' in shown(screen, "error") and store.answers("P01", kind) == {}
    assert "Part 1 of" in shown(screen, "progress")


@pytest.mark.parametrize("kind", SCREENS)
def test_every_control_says_what_it_is_and_can_be_found(kind, store):
    screen = SCREENS[kind](store)
    controls = [*walk(screen), *walk(agree(screen))]
    named = [one for one in controls if hasattr(one, "disabled")]
    assert len(named) >= 5
    for control in named:
        assert control.tooltip, control
        assert any(name.startswith("study-") for name in control._dom_classes), control
        assert control.tabbable is not False


@pytest.mark.parametrize("participant", ["ada@example.org", "Ada Lovelace", "", "p01"])
def test_an_id_that_may_be_a_name_is_refused(participant, store):
    for make in SCREENS.values():
        with pytest.raises(ValueError, match="capital letter and two to five digits"):
            make(store, participant)


def test_a_slider_that_nobody_moved_is_no_answer_and_zero_is_one(store):
    screen = agree(rating_screen(store))
    sliders = {label: screen.find(f"study-slider-{label}") for label in "ABCD"}
    assert [slider.value for slider in sliders.values()] == ["not rated"] * 4
    assert [words for words, _ in sliders["A"].options[1:]] == [f"{half / 2:.1f}" for half in range(11)]
    for label in "ABD":
        sliders[label].value = 0.0
    screen.find("study-next").click()
    assert "not rated yet: C." in shown(screen, "error") and sliders["B"].value == 0
    sliders["C"].value = 4.5
    screen.find("study-next").click()
    order = labels(METHODS, "P01", "case-1", 0)
    expected = [
        {"label": label, "method": order[label], "rating": 4.5 if label == "C" else 0.0} for label in "ABCD"
    ]
    assert store.answers("P01", "rating") == {"case-1": {"ratings": expected}}
    assert sorted(store.ratings()["rating"]) == [0, 0, 0, 4.5]


def test_back_shows_what_was_answered_and_keeps_what_was_begun(store):
    screen = agree(rating_screen(store))
    fill(screen)
    screen.find("study-slider-B").value = 1.0
    screen.find("study-back").click()
    assert [screen.find(f"study-slider-{label}").value for label in "ABCD"] == [2.5] * 4
    screen.find("study-slider-A").value = 5.0
    screen.find("study-next").click()
    assert screen.find("study-slider-B").value == 1.0 and screen.find("study-slider-A").value == "not rated"
    assert store.answers("P01", "rating")["case-1"]["ratings"][0]["rating"] == 5.0
    assert screen.find("study-back").disabled is False


@pytest.mark.parametrize("kind", SCREENS)
def test_whoever_comes_back_goes_on_where_they_stopped_and_can_look_back(kind, store):
    screen = agree(SCREENS[kind](store))
    fill(screen)
    before = [control.value for control in walk(screen.find("study-item")) if hasattr(control, "disabled")]
    again = SCREENS[kind](store)
    assert "Part 2 of" in shown(again, "progress") and "1 saved" in shown(again, "progress")
    assert [c.value for c in walk(again.find("study-item")) if hasattr(c, "disabled")] == before
    first = store.answers("P01", kind)
    again.find("study-back").click()
    again.find("study-next").click()
    assert store.answers("P01", kind) == first, "what is shown again is what was answered"
    assert "Part 2 of" in shown(again, "progress")


def test_a_locked_store_is_said_on_the_page_and_the_answer_waits_there(store):
    screen = agree(quality_screen(store))
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    fill(screen)
    assert "in use by another program" in shown(screen, "error") and "Part 1 of 2" in shown(
        screen, "progress"
    )
    other.execute("ROLLBACK")
    screen.find("study-next").click()
    assert shown(screen, "error") == "" and store.answers("P01", "quality").keys() == {"p2"}


def test_whoever_withdrew_in_another_window_is_told_and_nothing_is_stored(store):
    screen = agree(quality_screen(store))
    store.withdraw("P01")
    fill(screen)
    assert "has not consented, or withdrew" in shown(screen, "error")
    assert quality_screen(store).find("study-consent")


def test_a_picture_that_is_missing_is_said_without_naming_the_method(store):
    def image(prompt: str, method: str) -> np.ndarray:
        raise FileNotFoundError(f"no picture of {method} for {prompt}")

    screen = agree(pair_screen(store, image=image))
    assert "Something went wrong" in shown(screen, "error")
    screen.find("study-next").click()
    assert store.answers("P01", "pairwise") == {} and not re.search("ZIPP|TV|persona", shown(screen, "error"))


def test_only_one_of_two_images_is_chosen(store):
    screen = agree(pair_screen(store))
    a, b = (screen.find(f"study-choice-{side}") for side in "AB")
    a.value = True
    b.value = True
    assert (a.value, b.value) == (False, True)
    assert (a.description, b.description) == ("Choose image A", "✓ Image B is chosen")
    screen.find("study-next").click()
    (answer,) = store.answers("P01", "pairwise").values()
    assert answer["chosen"] == "B" and store.pairs()["won"].item() == (answer["side"] == "B")


def test_the_method_chosen_is_the_one_whose_picture_stood_there(store):
    """Each method has a colour; the table's winner must be the colour that was pressed."""
    names = sorted({name for pairs in CONDITIONS.values() for pair in pairs for name in pair})
    colours = {name: np.full((8, 8, 3), 20 * i, np.uint8) for i, name in enumerate(names)}
    screen = agree(pair_screen(store, image=lambda prompt, method: colours[method]))
    pressed = []
    for side in "ABAABBABAB" * 2:
        image = Image.open(io.BytesIO(screen.find(f"study-picture-{side}").value))
        pressed.append(names[np.asarray(image)[200, 200, 0] // 20])
        screen.find(f"study-choice-{side}").value = True
        screen.find("study-next").click()
    answers = list(store.answers("P01", "pairwise").values())
    assert [a["method"] if a["chosen"] == a["side"] else a["against"] for a in answers] == pressed


def test_the_rating_goes_to_the_method_whose_picture_it_was_given_to(store):
    """Rated by colour: the table must give every method the mark of its own."""
    marks = {tuple(image[0, 0]): i / 2 for i, image in enumerate(CASES[0].pictures.values())}
    screen = agree(rating_screen(store, items=["case-1"]))
    for label in "ABCD":
        image = Image.open(io.BytesIO(screen.find(f"study-picture-{label}").value))
        screen.find(f"study-slider-{label}").value = marks[image.getpixel((200, 200))]
    screen.find("study-next").click()
    found = store.ratings().set_index("method")["rating"].to_dict()
    assert found == {method: i / 2 for i, method in enumerate(METHODS)}


@pytest.fixture
def sent(monkeypatch) -> list[tuple[dict, list]]:
    """Every message to the page from here on: what opens a widget and what changes one."""
    messages: list[tuple[dict, list]] = []

    def publish(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        messages.append((dict(data=data, metadata=metadata, **keys), list(buffers or ())))

    monkeypatch.setattr(DummyComm, "publish_msg", publish)
    return messages


@pytest.mark.parametrize("kind", ["rating", "pairwise"])
def test_no_message_to_the_page_names_a_method_or_condition(kind, store, sent):
    """All that a browser is sent over a whole session, errors and coming back included."""
    screen = agree(SCREENS[kind](store))
    screen.find("study-next").click()
    while not screen.find("study-next").disabled:
        fill(screen)
    again = SCREENS[kind](store)
    again.find("study-back").click()
    pictures = [bytes(buffer) for _, buffers in sent for buffer in buffers]
    words = json.dumps([message for message, _ in sent]).lower()
    assert len(pictures) > 15 and "image a" in words, "the session was seen"
    ways = {name for ways in CONDITIONS.values() for way in ways for name in way}
    for name in {*METHODS, *CONDITIONS, *ways, *PROMPTS, "case-1", "zipp", "drum", "viper"}:
        assert not re.search(rf"\b{re.escape(name.lower())}(?!\w)", words), name
        assert not [png for png in pictures if name.encode() in png]
    for png in pictures:
        assert set(_chunks(png)) == {b"IHDR", b"IDAT", b"IEND"}


def _chunks(png: bytes) -> list[bytes]:
    kinds, place = [], 8
    while place < len(png):
        kinds.append(png[place + 4 : place + 8])
        place += 12 + int.from_bytes(png[place : place + 4], "big")
    return kinds


def test_pictures_have_one_size_whatever_the_method_made(store):
    screen = agree(rating_screen(store))
    pages = [screen.find(f"study-picture-{label}").value for label in "ABCD"]
    assert len({Image.open(io.BytesIO(page)).size for page in pages}) == 1


def test_only_the_page_that_is_shown_is_sent(store, sent):
    agree(rating_screen(store))
    assert sum(len(buffers) for _, buffers in sent) == 5, "a gallery and four pictures"


def test_texts_of_others_are_shown_and_not_obeyed(store):
    screen = agree(quality_screen(store))
    fill(screen)
    assert "You are &lt;b&gt;kind&lt;/b&gt; &amp; old." in shown(screen, "persona")
    assert "&lt;i&gt;tea" in shown(screen, "evidence")


def test_a_method_without_a_picture_is_not_shown(store):
    pictures = dict(CASES[0].pictures) | {"BRAG": None}
    screen = agree(rating.screen(store, "P01", [case("x", pictures=pictures)], ["x"]))
    with pytest.raises(KeyError, match="study-slider-D"):
        screen.find("study-slider-D")
    fill(screen)
    assert set(store.ratings()["method"]) == {"Baseline", "Persona Only", "VPRAG"}


@pytest.mark.parametrize(
    "changes",
    [
        {"gallery": []},
        {"gallery": [picture(0)] * 11},
        {"pictures": {"a": None}},
        {"pictures": {"a": np.zeros((3, 3))}},
        {"input": picture(0)},
        {"task": "editing"},
    ],
)
def test_a_case_that_cannot_be_shown_is_refused_before_anybody_sees_it(changes, store):
    with pytest.raises(ValueError, match=r"case 'x'.*expected"):
        rating.screen(store, "P01", [case("x", **changes)], ["x"])


def test_items_that_are_not_there_are_refused(store):
    with pytest.raises(ValueError, match="no case has the id 'case-4'"):
        rating_screen(store, items=["case-4"])
    with pytest.raises(ValueError, match="got 0 items for P01"):
        rating_screen(store, items=[])
    with pytest.raises(ValueError, match="items have no persona, such as 'p3'"):
        quality.screen(store, "P01", PERSONAS, ["p3"])
    with pytest.raises(ValueError, match="20 prompts have no text"):
        pairwise.screen(
            store, "P01", pairs_plan(["P01"], list(PROMPTS), rng=np.random.default_rng())["P01"], {}, picture
        )


def test_the_questionnaire_has_ten_questions_in_three_parts_about_people_not_pictures():
    """ZIPP Fig. 12: five, two and three questions, four of them with options."""
    asked = intake.questions()
    assert [sum(one.page == page for one in asked) for page in "ABC"] == [5, 2, 3]
    assert [one.name for one in asked] == list(Intake.model_fields)
    assert [len(one.options) for one in asked] == [5, 3, 0, 0, 4, 0, 0, 5, 0, 0]
    assert not [one for one in asked if re.search("image|picture|colour|style|photo", one.text)]


def answered(store: Store, declined: tuple[str, ...] = (), **given: str) -> dict:
    """The questionnaire gone through; "declined" texts are ticked, options not given are declined."""
    screen = agree(intake.screen(store, "P01"))
    for page in "ABC":
        for one in (question for question in intake.questions() if question.page == page):
            if one.options:
                screen.find(f"study-question-{one.name}").value = given.get(one.name, "declined")
            elif one.name in declined:
                screen.find(f"study-decline-{one.name}").value = True
            else:
                screen.find(f"study-question-{one.name}").value = given.get(one.name, "chess")
        screen.find("study-next").click()
    return store.answers("P01", "intake")


def test_what_is_declined_is_nowhere_in_the_request(store):
    answers = answered(
        store, ("residence", "occupation", "topics", "words"), age="25-34", weekend="I walk in the hills"
    )
    assert answers["A"] == {
        "age": "25-34",
        "gender": None,
        "residence": None,
        "occupation": None,
        "education": None,
    }
    chat = intake.persona_request(answers)
    user = dict(chat.messages)["user"]
    lines = [line for line in user.splitlines() if line.startswith("- ")]
    assert lines == ["- age range: 25-34", "- pastimes: chess", "- a usual weekend: I walk in the hills"]
    assert not re.search("declined|prefer not|gender|None", user)


def test_free_texts_with_markup_are_kept_as_typed_and_inert_in_the_request(store):
    answers = answered(store, hobbies=MARKUP)
    assert answers["B"]["hobbies"] == MARKUP.strip()
    user = dict(intake.persona_request(answers).messages)["user"]
    (line,) = (line for line in user.splitlines() if line.startswith("- pastimes"))
    assert "{ { 7 * 7 } }" in line and "< script" in line and "=====" not in line and "49" not in user
    assert user.count("==========") == 2, "nothing closes the block"
    again = intake.screen(store, "P01")
    for _ in range(2):
        again.find("study-back").click()
    assert again.find("study-question-hobbies").value == MARKUP.strip()


def test_a_text_that_is_too_long_is_said_and_stays(store):
    screen = agree(intake.screen(store, "P01"))
    fill(screen)
    screen.find("study-question-hobbies").value = "x" * 501
    fill_topics = screen.find("study-question-topics")
    fill_topics.value = "chess"
    screen.find("study-next").click()
    assert "at most 500 characters: pastimes" in shown(screen, "error")
    assert screen.find("study-question-hobbies").value == "x" * 501


def test_somebody_who_declines_all_has_no_persona(store):
    texts = tuple(one.name for one in intake.questions() if not one.options)
    answers = answered(store, texts)
    assert all(value is None for page in answers.values() for value in page.values())
    with pytest.raises(ValueError, match="every question was declined"):
        intake.persona_request(answers)


def test_an_answer_to_the_request_can_be_screened_as_a_persona(store):
    intake.persona_request(answered(store, hobbies="sailing"))
    told = screened([Answer("You are somebody who sails. Mail ada@example.org.")])
    assert told.answers[0].text and "ada@" not in told.answers[0].text


@pytest.mark.parametrize("variant", ["full", "brief"])
def test_both_variants_of_the_request_hold_the_answers(variant, store):
    chat = intake.persona_request(answered(store, hobbies="sailing"), variant=variant)
    assert [role for role, _ in chat.messages] == ["system", "user"] and "pastimes: sailing" in chat.messages[
        1
    ][1]


def test_words_of_a_file_that_lack_something_are_named(store, tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text("title: a\npages: []\n")
    with pytest.raises(ValueError, match=r"w\.yaml lacks .*'criteria'"):
        quality.screen(store, "P01", PERSONAS, ["p1"], words=str(file))
    with pytest.raises(ValueError, match=r"w\.yaml lacks .*'pages'"):
        intake.screen(store, "P01", words=str(file))
