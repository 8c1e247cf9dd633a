"""What may stand as a persona, and what a post may look like to a model."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.backends.chat import Answer
from personalab.zipp.screening import line, screened, sensitive

PLAIN = "You are somebody in their thirties who bakes rye bread. You keep two cats and like fog, harbours and old boats."


def test_plain_prose_passes_as_it_is():
    assert screened(PLAIN, ["AskHistorians", "rye_bread"]) == (Answer(PLAIN), Counter())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sure! You are a cook.", "does not begin with 'You are'"),
        ("you are a cook.", "does not begin with 'You are'"),
        ("", "does not begin with 'You are'"),
        ("You aren't a cook.", "does not begin with 'You are'"),
        ("You are a cook.\n- You like bread.", "a list or markup"),
        ("You are a cook.\n1. You like bread.", "a list or markup"),
        ("You are **a cook**.", "a list or markup"),
        ("You are a cook. <b>You</b> like bread.", "a list or markup"),
        ("You are a cook. ＜script＞", "a list or markup"),
        ("You are a cook. {{ config }}", "a list or markup"),
        ("You are active on Reddit.", "nothing left that begins with 'You are'"),
        ("You are a lesbian. You like bread.", "nothing left that begins with 'You are'"),
        ("You are " + "very " * 200 + "tall.", "nothing left that begins with 'You are'"),
    ],
)
def test_what_is_no_persona_is_missing_with_a_reason(text, reason):
    assert screened(text)[0] == Answer(None, reason)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("  “You are a cook.” ", "You are a cook."),
        ("You are a cook.\n\nYou like\nbread.", "You are a cook. You like bread."),
        ("You are a cook.\u202e You\u200b like\x00 bread.\x07", "You are a cook. You like bread."),
        ("You are a cook\ud800.", "You are a cook?."),
        ("You are a cook. You moderate r/bread. You like fog.", "You are a cook. You like fog."),
        ("You are a cook. You are big in talk_for_everybody. You like fog.", "You are a cook. You like fog."),
        ("You are a cook. AnalogCommunity adores you. You like fog.", "You are a cook. You like fog."),
        ("You are a cook. Your posts on Instagram are short.", "You are a cook."),
        ("You are a cook who writes to Marcus Delgado.", "You are a cook who writes to somebody."),
        ("You are a cook. You vote for the Greens, and I voted Labour.", "You are a cook."),
    ],
)  # fmt: skip
def test_what_can_be_mended_is_cut_out(text, left):
    assert screened(text, ["talk_for_everybody", "AnalogCommunity", "bread"])[0] == Answer(left)


def test_a_long_persona_ends_with_a_whole_sentence_under_the_limit():
    text = "You are a cook. " + "You like bread and fog. " * 40
    answer, cut = screened(text, max_words=20)
    assert (
        answer.text
        == "You are a cook. You like bread and fog. You like bread and fog. You like bread and fog."
    )
    assert cut == {"cut: too long": 1}


@pytest.mark.parametrize(
    "sentence",
    """You are a devout Catholic from Ohio.|You were raised Mormon.|As a Muslim, you fast.|You are an atheist who reads a lot.
You vote for the Democrats.|You are a lifelong conservative.|You lean left.|Your politics are loud.|You support Trump.
You are a gay man in your 20s.|You came out as trans last year.|You are bisexual.|Your sexuality matters to you.
You have depression.|You are a nurse who has struggled with depression.|You're diabetic.|You take insulin every day.
You love dogs and live with chronic pain.|Your anxiety shows.|You were diagnosed with lupus.|Your mother died of cancer.
You are a Black woman in your 40s.|You are of Korean descent.|You are a Latina who paints.|You are a mixed-race student.
You have Irish ancestry.|Your ethnicity is part of what you write.|You are an Asian American man.""".replace("\n", "|").split("|"),
)  # fmt: skip
def test_sentences_that_declare_something_sensitive_go(sentence):
    assert sensitive(sentence)
    answer, cut = screened(f"You are a cook. {sentence} You like fog.")
    assert answer == Answer("You are a cook. You like fog.") and cut == {"cut: sensitive": 1}


@pytest.mark.parametrize(
    "sentence",
    """You are a nurse who works nights.|You photograph old churches and mosques.|You keep a black cat and a white dog.
You like Korean food and Irish music.|You live in Brazil.|You are a street photographer from Lagos.|You have a green kitchen.
You read about medicine and the history of religion.|You like black and white pictures.|You are a student of politics.
You keep to liberal amounts of garlic.|You are a woman in your 50s.|You often run long distances.|You are drawn to temples at dawn.
You are somebody who keeps coming back to a garden and a monastery.|You like it best in the rain.""".replace("\n", "|").split("|"),
)  # fmt: skip
def test_harmless_sentences_stay(sentence):
    assert not sensitive(sentence)


@given(st.text(max_size=200))
def test_whatever_a_model_says_comes_out_as_one_plain_paragraph_or_not_at_all(text):
    answer, _ = screened("You are a cook. " + text)
    if answer.text is not None:
        assert answer.text.startswith("You are") and not set(answer.text) & set("\n\r\t\0<>{}\\`|")
        assert screened(answer.text) == (answer, Counter()), "screening again changes nothing"


@given(st.text(max_size=300), st.integers(5, 100))
def test_a_post_becomes_one_short_printable_line(text, longest):
    out = line(text, longest)
    assert len(out) <= longest and out == out.strip() and (out.isprintable() or not out)


def test_a_private_detail_that_hid_behind_an_invisible_sign_is_cut_before_sending():
    assert "blackwood" not in line("write to h.black\u200bwood@exam\u00adple.com")
