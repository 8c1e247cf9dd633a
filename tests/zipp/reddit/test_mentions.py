"""Account names in running text."""

import pytest

from personalab.zipp.reddit.mentions import Mentions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I agree with Wader_77: go!", "I agree with [user]: go!"),
        ("wader_77's point,wader_77 and WADER_77", "[user]'s point,[user] and [user]"),
        ("(x-ray-9)-wader_77-ish", "([user])-[user]-ish"),
        ("xwader_77 wader_771 my_wader_77", "xwader_77 wader_771 my_wader_77"),
        ("an apple on the pier", "an apple on the pier"),
        ("in 20062 there was ps4", "in 20062 there was ps4"),
    ],
)
def test_only_names_that_no_word_can_be_mistaken_for_are_hidden(text, expected):
    mentions = Mentions()
    mentions.learn(["Wader_77", "x-ray-9", "apple", "20062", "ps4", None, "[deleted]"])
    assert mentions.hide(text) == expected


def test_beyond_the_limit_the_oldest_names_are_forgotten():
    mentions = Mentions(most=2)
    mentions.learn(["first_1", "second_2"])
    mentions.learn(["third_3"])
    assert mentions.hide("first_1 second_2 third_3") == "first_1 [user] [user]"
